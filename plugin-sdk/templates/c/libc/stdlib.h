// The little of a C library that a constraint needs. There is no operating system to ask for more.

#ifndef STDLIB_H
#define STDLIB_H

#include <stddef.h>

// From a heap that only grows: an instance lives for one call.
void *malloc(size_t bytes);
void *realloc(void *old, size_t bytes);

// Does nothing.
void free(void *taken);

// Ends the call: a fault, and no verdict.
_Noreturn void abort(void);

#endif
