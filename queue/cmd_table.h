/*
 * cmd_table: text in aligned columns, for people. Cells are collected, then
 * printed with each column as wide as its widest cell.
 */
#ifndef QUEUE_CMD_TABLE_H
#define QUEUE_CMD_TABLE_H

#include <stdio.h>

#include "common/span.h"

struct cmd_table;

/* A table with a first row of titles, separated by '|'; a title that begins with '>' aligns its column to the right. */
struct cmd_table *cmd_table_new(const char *titles);
void cmd_table_free(struct cmd_table **t);

/* The next cell, from left to right, row by row; unprintable octets are escaped. */
void cmd_table_add(struct cmd_table *t, struct span text);
void cmd_table_addf(struct cmd_table *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Prints it; nothing if there is no row besides the titles. */
void cmd_table_print(const struct cmd_table *t, FILE *out);

#endif
