/* version: the release, as in CHANGELOG.md; shown by -V of the programs and by `postrider status`. */
#ifndef COMMON_VERSION_H
#define COMMON_VERSION_H

#define POSTRIDER_VERSION "0.1.0"

#endif
