/*
 * landlock: which files a process may touch, beyond what its user and its root
 * directory allow, and that it binds no TCP port: a rule of the kernel that needs no privilege, so it holds
 * without root as well. Where the kernel has none (before 5.13, or switched off) nothing
 * happens, and status says so.
 */
#ifndef COMMON_LANDLOCK_H
#define COMMON_LANDLOCK_H

enum landlock_scope {
	LANDLOCK_NOTHING,   /* no file by name at all */
	LANDLOCK_READ_ONLY, /* reads anywhere, writes nowhere */
	LANDLOCK_BENEATH, /* everything beneath one directory, nothing elsewhere; from version 2 on */
	LANDLOCK_EVERYTHING, /* not restricted */
};

/* The version of the kernel's interface, 0 if there is none. */
int landlock_version(void);

/*
 * From now on; for good; for all it will start. directory (absolute, as seen now) is for LANDLOCK_BENEATH. Needs
 * no_new_privs. Ends the process (fatal) if a kernel that has Landlock refuses.
 */
void landlock_enter(enum landlock_scope scope, const char *directory);

#endif
