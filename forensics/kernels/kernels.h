/* What the kernels share: exported functions, reads of big- and little-endian numbers from unaligned octets, UTF-8. */
#ifndef FORENSICS_KERNELS_H
#define FORENSICS_KERNELS_H
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef _WIN32
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

/* Compiled for wider registers as well, where the machine is asked when the library is loaded. */
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GLIBC__) && defined(__GNUC__) && \
    !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define WIDE __attribute__((target_clones("avx2", "default")))
#else
#define WIDE
#endif

static inline uint16_t big16(const uint8_t *at) { return (uint16_t)(at[0] << 8 | at[1]); }
static inline uint32_t big32(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}
static inline uint32_t little32(const uint8_t *at) {
    return (uint32_t)at[3] << 24 | (uint32_t)at[2] << 16 | (uint32_t)at[1] << 8 | at[0];
}
static inline uint64_t big64(const uint8_t *at) { return (uint64_t)big32(at) << 32 | big32(at + 4); }

/* Whether octets are UTF-8 (RFC 3629, table 3-7 of Unicode): no surrogate, no longer form, nothing above U+10FFFF. */
static inline int is_utf8(const uint8_t *at, const uint8_t *end) {
    while (at < end) {
        if (end - at >= 32) {
            uint64_t words[4];
            memcpy(words, at, 32);
            if (!((words[0] | words[1] | words[2] | words[3]) & 0x8080808080808080u)) {
                at += 32;
                continue;
            }
        }
        uint8_t c = *at++;
        if (c < 0x80) continue;
        int more = c >= 0xC2 && c < 0xE0 ? 1 : (c & 0xF0) == 0xE0 ? 2 : c >= 0xF0 && c < 0xF5 ? 3 : 0;
        if (!more || end - at < more) return 0;
        uint8_t low = c == 0xE0 ? 0xA0 : c == 0xF0 ? 0x90 : 0x80, top = c == 0xED ? 0x9F : c == 0xF4 ? 0x8F : 0xBF;
        if (*at < low || *at > top) return 0;
        for (at++; --more; at++)
            if ((*at & 0xC0) != 0x80) return 0;
    }
    return 1;
}
#endif
