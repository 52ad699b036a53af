/*
 * lookup: the three answers of every question about domains, users and lists.
 * "Could not tell" is never "not there": it makes mail wait instead of bounce.
 */
#ifndef CONF_LOOKUP_H
#define CONF_LOOKUP_H

enum lookup {
	LOOKUP_UNKNOWN, /* could not tell */
	LOOKUP_FOUND,
	LOOKUP_NOT_FOUND,
};

#endif
