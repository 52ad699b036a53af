/*
 * crc32c: the Castagnoli checksum (RFC 3720 appendix B.4) that guards every
 * record on disk: header, envelope and content each have their own.
 */
#ifndef COMMON_CRC32C_H
#define COMMON_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/*
 * The checksum of n octets at p. crc is 0, or what an earlier call returned for the
 * octets in front of these: crc32c(crc32c(0, a), b) is the checksum of a and b together.
 * With SSE4.2 where the processor has it.
 */
uint32_t crc32c(uint32_t crc, const void *p, size_t n);

/*
 * The checksum of a and b together, from that of a, that of b alone, and the length of b: for what is
 * put in front of octets that are gone.
 */
uint32_t crc32c_join(uint32_t a, uint32_t b, uint64_t b_len);

/* The same by table, on any processor. */
uint32_t crc32c_portable(uint32_t crc, const void *p, size_t n);

#endif
