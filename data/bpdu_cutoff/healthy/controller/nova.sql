/*M!999999\- enable the sandbox mode */ 
-- MariaDB dump 10.19  Distrib 10.11.19-MariaDB, for debian-linux-gnu (x86_64)
--
-- Host: localhost    Database: nova
-- ------------------------------------------------------
-- Server version	10.11.19-MariaDB-0+deb12u1

/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
/*!40101 SET @OLD_CHARACTER_SET_RESULTS=@@CHARACTER_SET_RESULTS */;
/*!40101 SET @OLD_COLLATION_CONNECTION=@@COLLATION_CONNECTION */;
/*!40101 SET NAMES utf8mb4 */;
/*!40103 SET @OLD_TIME_ZONE=@@TIME_ZONE */;
/*!40103 SET TIME_ZONE='+00:00' */;
/*!40014 SET @OLD_UNIQUE_CHECKS=@@UNIQUE_CHECKS, UNIQUE_CHECKS=0 */;
/*!40014 SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */;
/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;
/*!40111 SET @OLD_SQL_NOTES=@@SQL_NOTES, SQL_NOTES=0 */;

--
-- Table structure for table `fixed_ips`
--

DROP TABLE IF EXISTS `fixed_ips`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `fixed_ips` (
  `created_at` datetime DEFAULT NULL,
  `updated_at` datetime DEFAULT NULL,
  `deleted_at` datetime DEFAULT NULL,
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `address` varchar(39) DEFAULT NULL,
  `network_id` int(11) DEFAULT NULL,
  `allocated` tinyint(1) DEFAULT NULL,
  `leased` tinyint(1) DEFAULT NULL,
  `reserved` tinyint(1) DEFAULT NULL,
  `virtual_interface_id` int(11) DEFAULT NULL,
  `host` varchar(255) DEFAULT NULL,
  `instance_uuid` varchar(36) DEFAULT NULL,
  `deleted` int(11) DEFAULT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=8 DEFAULT CHARSET=utf8mb3 COLLATE=utf8mb3_general_ci;
/*!40101 SET character_set_client = @saved_cs_client */;

--
-- Dumping data for table `fixed_ips`
--

LOCK TABLES `fixed_ips` WRITE;
/*!40000 ALTER TABLE `fixed_ips` DISABLE KEYS */;
INSERT INTO `fixed_ips` VALUES
('2026-11-19 18:55:01',NULL,NULL,1,'10.0.0.61',1,1,1,0,1,'cc35','92cb07ed-5984-5039-9fba-7bb2240f0c64',0),
('2026-11-18 18:55:01',NULL,NULL,2,'10.0.0.62',1,1,1,0,2,'cc35','0cd7022d-e527-5347-9c51-6ee7cb65eb2b',0),
('2026-11-17 18:55:01',NULL,NULL,3,'10.0.0.64',1,1,1,0,3,'cc36','428deae6-8808-519d-947c-2e76094a31e2',0),
('2026-11-16 18:55:01',NULL,NULL,4,'10.0.0.65',1,1,1,0,4,'cc37','08a06bd9-6a88-5af0-932e-545b793b277a',0),
('2026-11-15 18:55:01','2026-11-20 18:55:01',NULL,5,'10.0.0.63',1,0,0,0,NULL,'cc36',NULL,0),
('2026-11-22 18:55:15','2026-11-22 20:12:01',NULL,6,'10.0.0.89',1,0,0,0,NULL,'cc35',NULL,0),
('2026-11-22 19:59:06',NULL,NULL,7,'10.0.0.90',1,1,1,0,7,'cc36','207f632d-caa3-5c38-bfd2-2acf06daa3a2',0);
/*!40000 ALTER TABLE `fixed_ips` ENABLE KEYS */;
UNLOCK TABLES;

--
-- Table structure for table `instances`
--

DROP TABLE IF EXISTS `instances`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `instances` (
  `created_at` datetime DEFAULT NULL,
  `updated_at` datetime DEFAULT NULL,
  `deleted_at` datetime DEFAULT NULL,
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `user_id` varchar(255) DEFAULT NULL,
  `project_id` varchar(255) DEFAULT NULL,
  `image_ref` varchar(255) DEFAULT NULL,
  `power_state` int(11) DEFAULT NULL,
  `vm_state` varchar(255) DEFAULT NULL,
  `memory_mb` int(11) DEFAULT NULL,
  `vcpus` int(11) DEFAULT NULL,
  `hostname` varchar(255) DEFAULT NULL,
  `host` varchar(255) DEFAULT NULL,
  `instance_type_id` int(11) DEFAULT NULL,
  `scheduled_at` datetime DEFAULT NULL,
  `launched_at` datetime DEFAULT NULL,
  `terminated_at` datetime DEFAULT NULL,
  `display_name` varchar(255) DEFAULT NULL,
  `availability_zone` varchar(255) DEFAULT NULL,
  `uuid` varchar(36) DEFAULT NULL,
  `root_gb` int(11) DEFAULT NULL,
  `ephemeral_gb` int(11) DEFAULT NULL,
  `task_state` varchar(255) DEFAULT NULL,
  `node` varchar(255) DEFAULT NULL,
  `deleted` int(11) DEFAULT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=3591 DEFAULT CHARSET=utf8mb3 COLLATE=utf8mb3_general_ci;
/*!40101 SET character_set_client = @saved_cs_client */;

--
-- Dumping data for table `instances`
--

LOCK TABLES `instances` WRITE;
/*!40000 ALTER TABLE `instances` DISABLE KEYS */;
INSERT INTO `instances` VALUES
('2026-11-19 18:55:01','2026-11-19 18:55:01',NULL,3561,'ebbd729575cb404081a45c9ada0849b7','8175953c209044358ab5e0ec19d52c37','cedef40a-ed67-4d10-800e-17455edce175',1,'active',2048,1,'web-1','cc35',5,'2026-11-19 18:55:01','2026-11-19 18:55:01',NULL,'web-1','nova','92cb07ed-5984-5039-9fba-7bb2240f0c64',20,0,NULL,'cc35',0),
('2026-11-18 18:55:01','2026-11-18 18:55:01',NULL,3562,'5a93d8a1a30c4eae8d5a4be9e0a1fb1c','2f1b3a0d9c5f4f7aa3f8a2d6c9a7e410','cedef40a-ed67-4d10-800e-17455edce175',1,'active',2048,1,'db-2','cc35',5,'2026-11-18 18:55:01','2026-11-18 18:55:01',NULL,'db-2','nova','0cd7022d-e527-5347-9c51-6ee7cb65eb2b',20,0,NULL,'cc35',0),
('2026-11-15 18:55:01','2026-11-20 18:55:01','2026-11-20 18:55:01',3563,'ebbd729575cb404081a45c9ada0849b7','8175953c209044358ab5e0ec19d52c37','cedef40a-ed67-4d10-800e-17455edce175',0,'deleted',2048,1,'web-3','cc36',5,'2026-11-15 18:55:01','2026-11-15 18:55:01','2026-11-20 18:55:01','web-3','nova','68e80bd7-1053-5e2d-b34a-eb5d6fc6a019',20,0,NULL,'cc36',3563),
('2026-11-17 18:55:01','2026-11-17 18:55:01',NULL,3564,'ebbd729575cb404081a45c9ada0849b7','8175953c209044358ab5e0ec19d52c37','cedef40a-ed67-4d10-800e-17455edce175',1,'active',2048,1,'web-4','cc36',5,'2026-11-17 18:55:01','2026-11-17 18:55:01',NULL,'web-4','nova','428deae6-8808-519d-947c-2e76094a31e2',20,0,NULL,'cc36',0),
('2026-11-16 18:55:01','2026-11-16 18:55:01',NULL,3565,'5a93d8a1a30c4eae8d5a4be9e0a1fb1c','2f1b3a0d9c5f4f7aa3f8a2d6c9a7e410','cedef40a-ed67-4d10-800e-17455edce175',1,'active',2048,1,'batch-5','cc37',5,'2026-11-16 18:55:01','2026-11-16 18:55:01',NULL,'batch-5','nova','08a06bd9-6a88-5af0-932e-545b793b277a',20,0,NULL,'cc37',0),
('2026-11-22 18:55:15','2026-11-22 20:12:01','2026-11-22 20:12:01',3589,'0c6e7dba03c24c6a9bce299747499e8a','7052bd6714e7460caeb16242e68124f9','155d900f-4e14-4e4c-a73d-069cbf4541e6',0,'deleted',2048,1,'centos-test','cc35',5,'2026-11-22 18:55:15','2026-11-22 18:55:15','2026-11-22 20:12:01','centos-test','nova','e30bb178-2aa6-5ed5-8cd4-afad9646ee1a',20,0,NULL,'cc35',3589),
('2026-11-22 19:59:06','2026-11-22 19:59:06',NULL,3590,'0c6e7dba03c24c6a9bce299747499e8a','7052bd6714e7460caeb16242e68124f9','155d900f-4e14-4e4c-a73d-069cbf4541e6',1,'active',2048,1,'centos-test','cc36',5,'2026-11-22 19:59:06','2026-11-22 19:59:06',NULL,'centos-test','nova','207f632d-caa3-5c38-bfd2-2acf06daa3a2',20,0,NULL,'cc36',0);
/*!40000 ALTER TABLE `instances` ENABLE KEYS */;
UNLOCK TABLES;

--
-- Table structure for table `services`
--

DROP TABLE IF EXISTS `services`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `services` (
  `created_at` datetime DEFAULT NULL,
  `updated_at` datetime DEFAULT NULL,
  `deleted_at` datetime DEFAULT NULL,
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `host` varchar(255) DEFAULT NULL,
  `binary` varchar(255) DEFAULT NULL,
  `topic` varchar(255) DEFAULT NULL,
  `report_count` int(11) NOT NULL,
  `disabled` tinyint(1) DEFAULT NULL,
  `disabled_reason` varchar(255) DEFAULT NULL,
  `deleted` int(11) DEFAULT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=5 DEFAULT CHARSET=utf8mb3 COLLATE=utf8mb3_general_ci;
/*!40101 SET character_set_client = @saved_cs_client */;

--
-- Dumping data for table `services`
--

LOCK TABLES `services` WRITE;
/*!40000 ALTER TABLE `services` DISABLE KEYS */;
INSERT INTO `services` VALUES
('2026-08-24 18:55:01','2026-11-22 20:15:01',NULL,1,'controller','nova-conductor','conductor',777636,0,NULL,0),
('2026-08-24 18:55:01','2026-11-22 20:15:02',NULL,2,'cc35','nova-compute','compute',777636,0,NULL,0),
('2026-08-24 18:55:01','2026-11-22 20:15:05',NULL,3,'cc36','nova-compute','compute',777636,0,NULL,0),
('2026-08-24 18:55:01','2026-11-22 20:15:02',NULL,4,'cc37','nova-compute','compute',777636,0,NULL,0);
/*!40000 ALTER TABLE `services` ENABLE KEYS */;
UNLOCK TABLES;

--
-- Table structure for table `virtual_interfaces`
--

DROP TABLE IF EXISTS `virtual_interfaces`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `virtual_interfaces` (
  `created_at` datetime DEFAULT NULL,
  `updated_at` datetime DEFAULT NULL,
  `deleted_at` datetime DEFAULT NULL,
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `address` varchar(255) DEFAULT NULL,
  `network_id` int(11) DEFAULT NULL,
  `uuid` varchar(36) DEFAULT NULL,
  `instance_uuid` varchar(36) DEFAULT NULL,
  `deleted` int(11) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `address` (`address`)
) ENGINE=InnoDB AUTO_INCREMENT=8 DEFAULT CHARSET=utf8mb3 COLLATE=utf8mb3_general_ci;
/*!40101 SET character_set_client = @saved_cs_client */;

--
-- Dumping data for table `virtual_interfaces`
--

LOCK TABLES `virtual_interfaces` WRITE;
/*!40000 ALTER TABLE `virtual_interfaces` DISABLE KEYS */;
INSERT INTO `virtual_interfaces` VALUES
('2026-11-19 18:55:01',NULL,NULL,1,'fa:16:3e:1d:9a:40',1,'7f2546d5-afd1-52cf-94f7-473917d80edb','92cb07ed-5984-5039-9fba-7bb2240f0c64',0),
('2026-11-18 18:55:01',NULL,NULL,2,'fa:16:3e:6e:02:b7',1,'4cf34625-c1dc-5dc6-b122-0fbfeaa0425e','0cd7022d-e527-5347-9c51-6ee7cb65eb2b',0),
('2026-11-17 18:55:01',NULL,NULL,3,'fa:16:3e:33:c8:15',1,'7ab12c15-3267-5c08-9d6e-5c7a5e4af122','428deae6-8808-519d-947c-2e76094a31e2',0),
('2026-11-16 18:55:01',NULL,NULL,4,'fa:16:3e:47:e1:0c',1,'1a24f5f2-e433-55fd-be59-35e776af2f4f','08a06bd9-6a88-5af0-932e-545b793b277a',0),
('2026-11-15 18:55:01',NULL,'2026-11-20 18:55:01',5,'fa:16:3e:02:71:99',1,'ff7e07b7-234c-50f5-893b-44548017569e','68e80bd7-1053-5e2d-b34a-eb5d6fc6a019',5),
('2026-11-22 18:55:15',NULL,'2026-11-22 20:12:01',6,'fa:16:3e:24:e7:22',1,'fe5fd390-8e5f-5595-aed3-e8749a6e9703','e30bb178-2aa6-5ed5-8cd4-afad9646ee1a',6),
('2026-11-22 19:59:06',NULL,NULL,7,'fa:16:3e:5b:03:91',1,'0c37c177-d18f-51a0-bd81-51c502e98f1a','207f632d-caa3-5c38-bfd2-2acf06daa3a2',0);
/*!40000 ALTER TABLE `virtual_interfaces` ENABLE KEYS */;
UNLOCK TABLES;
/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE */;

/*!40101 SET SQL_MODE=@OLD_SQL_MODE */;
/*!40014 SET FOREIGN_KEY_CHECKS=@OLD_FOREIGN_KEY_CHECKS */;
/*!40014 SET UNIQUE_CHECKS=@OLD_UNIQUE_CHECKS */;
/*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */;
/*!40101 SET CHARACTER_SET_RESULTS=@OLD_CHARACTER_SET_RESULTS */;
/*!40101 SET COLLATION_CONNECTION=@OLD_COLLATION_CONNECTION */;
/*!40111 SET SQL_NOTES=@OLD_SQL_NOTES */;

-- Dump completed on 2026-11-22 20:15:02
