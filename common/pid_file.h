/*
 * pid_file: the file in which other programs (init scripts, monitors) find the
 * process id of postriderd. It proves nothing: the spool's lock does
 * (common/spool_tree.h).
 */
#ifndef COMMON_PID_FILE_H
#define COMMON_PID_FILE_H

/* Writes this process's id and a newline, mode 0644, in place of what was there; no symbolic link is followed. 0, or -1: said in the log. */
int pid_file_write(const char *path);

/* Removes it; a failure is said in the log. */
void pid_file_remove(const char *path);

#endif
