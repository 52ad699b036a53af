/*
 * Functions that are never the right choice here: included by every source
 * file (the Makefile passes it with -include), so that using one of them
 * does not compile. What to use instead is in the name of the replacement.
 */
#ifndef COMMON_BANNED_H
#define COMMON_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A macro cannot be poisoned: alloca is one of the C library, sprintf too under clang with _FORTIFY_SOURCE. */
#undef alloca
#undef sprintf
#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf strtok strtok_r gets atoi atol
#pragma GCC poison atoll access alloca mktemp tmpnam tempnam popen gmtime localtime ctime      \
    asctime

#endif
