/* What the kernels for log lines share: where the fields of a line lie, one entry a line. */
#ifndef FORENSICS_LOG_LINES_H
#define FORENSICS_LOG_LINES_H
#include "kernels.h"

/* In the order of forensics.loaders.lines._fields.TEXT_FIELDS, and the kinds of stamps as they are numbered there. */
enum { HOST, PROGRAM, SEVERITY, LOGGER, REQUEST, GLOBAL_REQUEST, USER, PROJECT, INSTANCE, MESSAGE, TEXTS };
enum { NO_STAMP, YEARLESS, LOCAL, UNIVERSAL, UNREADABLE };

/* Texts of one line, as stretches of the chunk; start < 0 where there is none. */
typedef struct {
    struct {
        int32_t start, end;
    } of[TEXTS];
} Places;
#endif
