/*
 * crash_image: what a power cut leaves. It walks over the log of crash_disk.h;
 * at any point it can write a directory as the disk might hold it then: what was
 * flushed, and of the rest nothing, everything, or a part: writes in any order,
 * torn at sectors of 512 octets, directory entries in any order. That is what
 * POSIX allows; no file system is as bad as this, and each has some of it.
 */
#ifndef TESTS_UNIT_CRASH_IMAGE_H
#define TESTS_UNIT_CRASH_IMAGE_H

#include "tests/unit/crash_disk.h"

#define IMAGE_SECTOR 512U
#define IMAGE_NAMES  400

struct image_file {
	char *bytes;
	uint64_t end, room; /* octets flushed; octets of memory */
	uint64_t size;	    /* flushed; not less than end */
};

struct image_name {
	unsigned dir, file;
	char name[DISK_NAME];
};

struct image_names {
	unsigned n;
	struct image_name v[IMAGE_NAMES];
};

struct image {
	unsigned at; /* operations of the log looked at */
	struct image_file files[DISK_FILES];
	struct image_names flushed, now; /* directory entries on disk; as programs see them */
	unsigned npending, pending[DISK_OPS];
};

/* Which part of what was not flushed is there. */
struct image_pick {
	enum image_part { IMAGE_NOTHING, IMAGE_EVERYTHING, IMAGE_SOME } part;
	uint64_t random; /* state; not 0 */
	unsigned chance; /* of 256 that a piece is there */
	bool torn;	 /* sectors, not whole writes */
	bool ordered;	 /* directory changes: a beginning of them, not any */
};

static inline uint64_t
image_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state * 0x2545F4914F6CDD1DULL >> 32;
}

static inline struct image *
image_new(void)
{
	return calloc(1, sizeof(struct image));
}

static inline void
image_free(struct image **im)
{
	for (unsigned i = 0; i < DISK_FILES; i++)
		free((*im)->files[i].bytes);
	free(*im);
	*im = NULL;
}

static inline struct image_name *
names_find(struct image_names *names, unsigned dir, const char *name)
{
	for (unsigned i = 0; i < names->n; i++)
		if (names->v[i].dir == dir && strcmp(names->v[i].name, name) == 0)
			return &names->v[i];
	return NULL;
}

static inline void
names_remove(struct image_names *names, unsigned dir, const char *name)
{
	struct image_name *found = names_find(names, dir, name);

	if (found != NULL)
		*found = names->v[--names->n];
}

static inline void
names_set(struct image_names *names, unsigned dir, const char *name, unsigned file)
{
	names_remove(names, dir, name);
	if (names->n == IMAGE_NAMES)
		abort();
	names->v[names->n] = (struct image_name){.dir = dir, .file = file};
	snprintf(names->v[names->n++].name, DISK_NAME, "%s", name);
}

static inline void
names_apply(struct image_names *names, const struct disk_op *op)
{
	if (op->kind == DISK_CREATE)
		names_set(names, op->dir, op->name, op->file);
	else if (op->kind == DISK_UNLINK)
		names_remove(names, op->dir, op->name);
	else {
		names_remove(names, op->dir, op->name);
		names_set(names, op->dir, op->to, op->file);
	}
}

static inline void
image_flush_write(struct image_file *f, const struct disk_op *op)
{
	uint64_t end = op->offset + op->len;

	if (end > f->room) {
		f->room = end * 2;
		f->bytes = realloc(f->bytes, f->room);
	}
	if (op->offset > f->end)
		memset(f->bytes + f->end, 0, op->offset - f->end);
	memcpy(f->bytes + op->offset, disk->data + op->data, op->len);
	if (end > f->end)
		f->end = end;
	if (f->end > f->size)
		f->size = f->end;
}

static inline bool
image_is_entry(const struct disk_op *op)
{
	return op->kind == DISK_CREATE || op->kind == DISK_RENAME || op->kind == DISK_UNLINK;
}

/* What waits and belongs to the file (or directory) is flushed. */
static inline void
image_flush(struct image *im, bool directory, unsigned which)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < im->npending; i++) {
		const struct disk_op *op = &disk->ops[im->pending[i]];

		if (image_is_entry(op) != directory ||
		    (directory ? op->dir : op->file) != which)
			im->pending[kept++] = im->pending[i];
		else if (directory)
			names_apply(&im->flushed, op);
		else if (op->kind == DISK_WRITE)
			image_flush_write(&im->files[which], op);
		else if (op->offset > im->files[which].size)
			im->files[which].size = op->offset;
	}
	im->npending = kept;
}

/* Goes on by one operation of the log, which is no note. */
static inline void
image_step(struct image *im)
{
	struct disk_op *op = &disk->ops[im->at++];
	struct image_name *name;

	switch (op->kind) {
	case DISK_FLUSH:
		image_flush(im, false, op->file);
		break;
	case DISK_FLUSH_DIR:
		image_flush(im, true, op->dir);
		break;
	case DISK_RENAME:
		name = names_find(&im->now, op->dir, op->name);
		op->file = name != NULL ? name->file : 0;
		/* FALLTHROUGH */
	case DISK_CREATE:
	case DISK_UNLINK:
		names_apply(&im->now, op);
		/* FALLTHROUGH */
	case DISK_WRITE:
	case DISK_SIZE:
		im->pending[im->npending++] = im->at - 1;
		break;
	default:
		break;
	}
}

static inline bool
pick_one(struct image_pick *pick)
{
	return pick->part == IMAGE_EVERYTHING ||
	       (pick->part == IMAGE_SOME && (image_random(&pick->random) & 255) < pick->chance);
}

/* Writes what is picked of an operation; returns the size that the file has at least. */
static inline uint64_t
image_put(int fd, const struct disk_op *op, struct image_pick *pick)
{
	uint64_t at = op->offset, end = op->offset + op->len, reached = 0;

	if (op->kind == DISK_SIZE)
		return pick_one(pick) ? op->offset : 0;
	while (at < end) {
		uint64_t next = pick->torn ? (at / IMAGE_SECTOR + 1) * IMAGE_SECTOR : end;

		if (next > end)
			next = end;
		if (pick_one(pick)) {
			if (pwrite(fd, disk->data + op->data + (at - op->offset), next - at,
				(off_t)at) != (ssize_t)(next - at))
				abort();
			reached = next;
		}
		at = next;
	}
	return reached;
}

static inline void
image_write_file(
    const struct image *im, int dirfd, const struct image_name *name, struct image_pick *pick)
{
	const struct image_file *f = &im->files[name->file];
	uint64_t size = f->size;
	int fd = openat(dirfd, name->name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || (f->end > 0 && pwrite(fd, f->bytes, f->end, 0) != (ssize_t)f->end))
		abort();
	for (unsigned i = 0; i < im->npending; i++) {
		const struct disk_op *op = &disk->ops[im->pending[i]];
		uint64_t reached;

		if (image_is_entry(op) || op->file != name->file)
			continue;
		reached = image_put(fd, op, pick);
		if (reached > size)
			size = reached;
	}
	if (ftruncate(fd, (off_t)size) != 0)
		abort();
	close(fd);
}

/* The directory entries that are there. */
static inline void
image_pick_names(const struct image *im, struct image_names *names, struct image_pick *pick)
{
	unsigned entries = 0, upto;

	*names = im->flushed;
	for (unsigned i = 0; i < im->npending; i++)
		entries += image_is_entry(&disk->ops[im->pending[i]]);
	upto = pick->part == IMAGE_SOME && pick->ordered
		   ? (unsigned)(image_random(&pick->random) % (entries + 1))
		   : entries;
	for (unsigned i = 0, n = 0; i < im->npending; i++) {
		const struct disk_op *op = &disk->ops[im->pending[i]];

		if (!image_is_entry(op) || n++ >= upto)
			continue;
		if ((pick->part == IMAGE_SOME && pick->ordered) || pick_one(pick))
			names_apply(names, op);
	}
}

/* Writes the files below rootfd; dirs are descriptors of the directories, in the order they were made. */
static inline void
image_write(const struct image *im, const int dirs[DISK_DIRS], struct image_pick *pick)
{
	struct image_names *names = malloc(sizeof *names);

	image_pick_names(im, names, pick);
	for (unsigned i = 0; i < names->n; i++)
		image_write_file(im, dirs[names->v[i].dir], &names->v[i], pick);
	free(names);
}

#endif
