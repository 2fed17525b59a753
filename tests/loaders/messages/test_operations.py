"""Requests of one operation read alike, those of two never do: formats.md 3.4."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forensics.loaders.messages._masked import masked_target, masked_text
from forensics.loaders.messages._operations import operations

U, U2 = "871e24ab-fc79-4dc9-8071-7b5dc1b50cd0", "A18A5824-4215-4e24-bcfc-cb9f89f6bcbd"
H, H2, LDAP = "54fadb412c4e40cdbaed9335e4c35a9e", "e95bdd0647904c1fbc0949291badd768", "0f" * 32


def folded(*paths: str | None, method: str | None = "GET") -> list[str | None]:
    frame = pl.DataFrame(
        {"method": [method] * len(paths), "path": paths}, schema={"method": pl.String, "path": pl.String}
    )
    return operations(frame).to_list()


ROUTES = {
    "/": "/",
    "": "/",
    "*": "*",
    "/v2.1/": "/v2.1",
    # nova
    f"/v2/{H}/servers/detail?all_tenants=1": "/v2/{project_id}/servers/detail",
    f"/v2/{H}/servers/{U}": "/v2/{project_id}/servers/{server_id}",
    f"/v2/{H}/servers/{U}/action": "/v2/{project_id}/servers/{server_id}/action",
    f"/v2/{LDAP}/servers": "/v2/{project_id}/servers",
    "/v2/admin/servers": "/v2/{project_id}/servers",
    "/v1.1/17/servers/4": "/v1.1/{project_id}/servers/{server_id}",
    "/v1.1/17/servers/detail.json": "/v1.1/{project_id}/servers/detail",
    f"/v2.1/servers/{U}/os-interface/{U2}": "/v2.1/servers/{server_id}/os-interface/{id}",
    f"/v2.1/servers/{U}/os-instance-actions/req-{U2}": "/v2.1/servers/{server_id}/os-instance-actions/{id}",
    f"/v2.1/servers/{U}/metadata/key one": "/v2.1/servers/{server_id}/metadata/{id}",
    f"/v2/{H}/servers/{U}/ips/net-1": "/v2/{project_id}/servers/{server_id}/ips/{id}",
    f"/v2/{H}/flavors/m1.tiny": "/v2/{project_id}/flavors/{id}",
    f"/v2/{H}/flavors/42/os-extra_specs/hw:cpu": "/v2/{project_id}/flavors/{id}/os-extra_specs/{id}",
    f"/v2/{H}/os-keypairs/mine": "/v2/{project_id}/os-keypairs/{id}",
    f"/v2/{H}/os-hypervisors/statistics": "/v2/{project_id}/os-hypervisors/statistics",
    f"/v2/{H}/os-hypervisors/host1/servers": "/v2/{project_id}/os-hypervisors/{id}/servers",
    f"/v2/{H}/os-quota-sets/{H2}/defaults": "/v2/{project_id}/os-quota-sets/{id}/defaults",
    f"/v2/{H}/images/{U}/metadata/k": "/v2/{project_id}/images/{image_id}/metadata/{id}",
    f"/v2.1/{H}/extensions": "/v2.1/{project_id}/extensions",
    "/v2.1/os-services/force-down": "/v2.1/os-services/force-down",
    f"/compute/v2.1/servers/{U}": "/compute/v2.1/servers/{server_id}",
    f"http://192.0.2.1:8774/v2/{H}/servers": "/v2/{project_id}/servers",
    # glance
    f"/v1/images/{U}": "/v1/images/{image_id}",
    "/v1/images/detail": "/v1/images/detail",
    f"/v2/images/{U}/file": "/v2/images/{image_id}/file",
    f"/v2/images/{U}/members/{H}": "/v2/images/{image_id}/members/{id}",
    "/v2/schemas/images": "/v2/schemas/images",
    # neutron
    f"/v2.0/ports/{U}.json": "/v2.0/ports/{id}",
    f"/v2.0/ports/{U}": "/v2.0/ports/{id}",
    f"/v2.0/ports.json?device_id={U}": "/v2.0/ports",
    f"/v2.0/agents/{U}/dhcp-networks/{U2}": "/v2.0/agents/{id}/dhcp-networks/{id}",
    f"/v2.0/quotas/{H}.json": "/v2.0/quotas/{id}",
    "/v2.0/lb/health_monitors.json": "/v2.0/lb/health_monitors",
    # cinder
    f"/v1/{H}/volumes/{U}": "/v1/{project_id}/volumes/{id}",
    f"/v3/{H}/volumes/detail": "/v3/{project_id}/volumes/detail",
    f"/v2/{H}/types/default": "/v2/{project_id}/types/default",
    # keystone
    "/v3/auth/tokens": "/v3/auth/tokens",
    f"/v2.0/tokens/{H}": "/v2.0/tokens/{id}",
    "/v2.0/tokens/MIIViQYJKoZIhvcNAQcCoIIVejCCFXYCAQExCTAHBgUrDgMCGjCCFB8": "/v2.0/tokens/{id}",
    "/v2.0/tokens/revoked": "/v2.0/tokens/revoked",
    f"/v2.0/tokens/{H}/endpoints": "/v2.0/tokens/{id}/endpoints",
    "/v3/domains/default": "/v3/domains/{id}",
    f"/v3/projects/{H}/users/{H2}/roles/{H}": "/v3/projects/{id}/users/{id}/roles/{id}",
    f"/v3/users/{LDAP}/projects": "/v3/users/{id}/projects",
    "/identity/v3/auth/tokens": "/identity/v3/auth/tokens",
    # placement, heat, ironic, swift
    f"/resource_providers/{U}/inventories/VCPU": "/resource_providers/{id}/inventories/{id}",
    f"/allocations/{U}": "/allocations/{id}",
    "/allocation_candidates?limit=1": "/allocation_candidates",
    f"/v1/{H}/stacks/web/{U}/resources/db": "/v1/{project_id}/stacks/{id}/resources/{id}",
    f"/v1/{H}/stacks/web": "/v1/{project_id}/stacks/{id}",
    f"/v1/{H}/stacks/detail": "/v1/{project_id}/stacks/detail",
    "/v1/nodes/node-7/states/power": "/v1/nodes/{id}/states/power",
    f"/v1/AUTH_{H}/logs/a/b.txt": "/v1/{account}/{container}/{object}",
    # metadata
    "/openstack/2012-08-10/meta_data.json": "/openstack/{version}/meta_data.json",
    "/openstack/latest/meta_data.json": "/openstack/latest/meta_data.json",
    "/2009-04-04/meta-data/instance-id": "/{version}/meta-data/instance-id",
    "/1.0/meta-data/instance-id": "/{version}/meta-data/instance-id",
    "/latest/meta-data/public-keys/0/openssh-key": "/latest/meta-data/public-keys/{id}/openssh-key",
    "/latest/meta-data/": "/latest/meta-data",
    # what nobody knows
    f"/brew/12/pot/{U}": "/brew/{id}/pot/{id}",
    "/services/Cloud/": "/services/Cloud",
}


@pytest.mark.parametrize(("path", "route"), ROUTES.items())
def test_a_route_is_folded(path: str, route: str) -> None:
    assert folded(path) == [f"GET {route}"]


def test_instances_fold_together_and_operations_stay_apart() -> None:
    asked = "/v2/{p}/servers/{i}", "/v2/{p}/servers/{i}/action", "/v2/{p}/servers/detail", "/v2/{p}/servers"
    one, other = (folded(*[path.format(p=p, i=i) for path in asked]) for p, i in ((H, U), (H2, U2)))
    assert one == other
    assert len(set(one)) == 4
    assert folded("/v2/x/servers", method="POST") != folded("/v2/x/servers")


@pytest.mark.parametrize(
    ("target", "action"),
    [
        ("/services/Cloud?AWSAccessKeyId=[something]&Action=RunInstances&I=terminate...", "RunInstances"),
        ("/services/Cloud/?Action=DescribeInstances", "DescribeInstances"),
        ("/services/Cloud?%41ction=DescribeInstances&x=1", "DescribeInstances"),
        ("/services/Cloud?x=1&amp;Action=GetConsoleOutput", "GetConsoleOutput"),
        ("/services/Cloud?ClientToken=Action=Nothing", "GET /services/Cloud"),
        ("/services/Cloud?Action=RunInst...", "GET /services/Cloud"),
        ("/services/Cloud?Action=[something]&x", "GET /services/Cloud"),
        ("/v1/?Action=ListStacks", "ListStacks"),
        ("/v2.1/servers?Action=RunInstances", "GET /v2.1/servers"),
    ],
)
def test_an_action_of_the_ec2_api_is_its_own_operation(target: str, action: str) -> None:
    assert folded(target) == [action]


def test_without_a_path_or_method_there_is_no_operation() -> None:
    assert folded(None) == [None]
    assert folded("/v2", method=None) == [None]


@given(st.lists(st.text(max_size=80), max_size=5))
def test_any_path_gives_one_route_without_a_query(paths: list[str]) -> None:
    told = folded(*[f"/v2/{path}" for path in paths])
    assert len(told) == len(paths)
    assert all(one is not None and one.startswith("GET /v2") and "?" not in one for one in told)


def test_ids_of_any_kind_fold_to_the_same_route() -> None:
    ids = (U, U2, H, LDAP, "17", "i-00000e05", "fa:16:3e:24:e7:22", "10.0.0.7", "x" * 70, "a%20b", "{server}")
    assert len(set(folded(*[f"/unknown/things/{one}/parts" for one in ids]))) == 1


# formats.md 3.4: values that let others in
def test_keys_and_signatures_are_masked_and_nothing_else() -> None:
    targets = [
        "/services/Cloud?AWSAccessKeyId=AK1&Action=X&SignatureMethod=HmacSHA256&Signature=a%2Bb%3D&Version=1",
        "/services/Cloud?AWSAccessKeyId=[something]&Action=X",
        f"/v2.0/tokens/{H}/endpoints",
        "/v2.0/tokens/revoked",
        "/vnc_auto.html?token=0123&title=x",
    ]
    assert pl.DataFrame({"t": targets}).select(masked_target(pl.col("t")))["t"].to_list() == [
        "/services/Cloud?AWSAccessKeyId=•••&Action=X&SignatureMethod=HmacSHA256&Signature=•••&Version=1",
        "/services/Cloud?AWSAccessKeyId=[something]&Action=X",
        "/v2.0/tokens/•••/endpoints",
        "/v2.0/tokens/revoked",
        "/vnc_auto.html?token=•••&title=x",
    ]


def test_a_dictionary_of_python_2_gives_no_token_away() -> None:
    said = "{u'_context_auth_token': u'abc123', u'admin_pass': 's3', \"X-Auth-Token\": \"t0\", u'method': u'x'}"
    told = pl.DataFrame({"t": [said]}).select(masked_text(pl.col("t")))["t"][0]
    assert [secret for secret in ("abc123", "s3", "t0") if secret in told] == []
    assert "u'method': u'x'" in told
