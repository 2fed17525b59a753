/* Headers of packets. */
#include "kernels.h"

EXPORT int32_t packets_version(void) { return 1; }
