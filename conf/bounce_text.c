/* bounce_text: a domain's own texts for reports. See bounce_text.h. Called by directory.c and `postrider check`. */
#include "conf/bounce_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/xalloc.h"

static const struct {
	const char *word, *file;
} texts[] = {
    [BOUNCE_TEXT_FAILED] = {"failed", "etc/bounce.txt"},
    [BOUNCE_TEXT_DELAYED] = {"delayed", "etc/delay.txt"},
};

int
bounce_text_parse(struct span s, enum bounce_text *which)
{
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		if (span_is(s, texts[i].word)) {
			*which = (enum bounce_text)i;
			return 0;
		}
	}
	return -1;
}

int
bounce_text_clean(struct buf *text, unsigned *line)
{
	size_t kept = 0;

	*line = 1;
	for (size_t i = 0; i < text->len; i++) {
		char c = text->p[i];

		if (c == '\r' && i + 1 < text->len && text->p[i + 1] == '\n')
			continue;
		if (c != '\n' && c != '\t' && (c < 0x20 || c > 0x7e))
			return -1;
		*line += c == '\n';
		text->p[kept++] = c;
	}
	if (text->len > 0)
		text->p[text->len = kept] = '\0';
	return 0;
}

/* The directory that d stands for, and no other that has its name by now; -1 and errno. */
static int
open_directory(const struct domain *d)
{
	int fd = open(d->path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd >= 0 && (fstat(fd, &st) != 0 || st.st_dev != d->dev || st.st_ino != d->ino)) {
		close(fd);
		fd = -1;
		errno = ESTALE;
	}
	return fd;
}

enum lookup
bounce_text_read(const struct domain *d, enum bounce_text which, struct buf *out,
    struct config_errors *errors)
{
	char *path = xasprintf("%s/%s", d->path, texts[which].file);
	enum lookup result = LOOKUP_UNKNOWN;
	int fd = d->problem == NULL ? open_directory(d) : -1;
	unsigned line;
	struct buf why;

	buf_init(&why, 1024);
	buf_clear(out);
	if (fd < 0) { /* what is wrong with the directory has been said where it was found */
		if (d->problem == NULL)
			config_errors_add(
			    errors, path, 0, "cannot be looked for: %s", strerror(errno));
		goto done;
	}
	switch (datafile_read(fd, texts[which].file, true, d->uid, out, NULL, &why)) {
	case DATAFILE_MISSING:
		result = LOOKUP_NOT_FOUND;
		break;
	case DATAFILE_REFUSED:
		config_errors_add(errors, path, 0, "%s", buf_str(&why));
		break;
	case DATAFILE_OK:
		if (bounce_text_clean(out, &line) == 0)
			result = LOOKUP_FOUND;
		else
			config_errors_add(errors, path, line, "expected printable ASCII only");
		break;
	}
done:
	if (result != LOOKUP_FOUND)
		buf_clear(out);
	if (fd >= 0)
		close(fd);
	buf_release(&why);
	free(path);
	return result;
}
