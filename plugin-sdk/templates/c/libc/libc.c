#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 65536, ALIGNMENT = 16 };

// Where the linker has put everything else.
extern unsigned char __heap_base;

static uintptr_t next = 0;

void abort(void) { __builtin_trap(); }

// In front of what is given out is how much it is, for `realloc`.
void *malloc(size_t bytes) {
    if (next == 0) next = ((uintptr_t)&__heap_base + ALIGNMENT - 1) & ~(uintptr_t)(ALIGNMENT - 1);
    if (bytes > SIZE_MAX - 2 * ALIGNMENT) abort();
    size_t whole = (bytes + 2 * ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    uintptr_t there = __builtin_wasm_memory_size(0) * (uintptr_t)PAGE;
    if (whole > there - next) {
        size_t pages = (whole - (there - next) + PAGE - 1) / PAGE;
        if (__builtin_wasm_memory_grow(0, pages) == SIZE_MAX) abort();
    }
    *(size_t *)next = bytes;
    void *given = (void *)(next + ALIGNMENT);
    next += whole;
    return given;
}

void *realloc(void *old, size_t bytes) {
    void *given = malloc(bytes);
    if (old == NULL) return given;
    size_t had = *(size_t *)((uintptr_t)old - ALIGNMENT);
    return memcpy(given, old, had < bytes ? had : bytes);
}

void free(void *taken) { (void)taken; }

void *memcpy(void *restrict to, const void *restrict from, size_t bytes) {
    for (size_t at = 0; at < bytes; at++) ((unsigned char *)to)[at] = ((const unsigned char *)from)[at];
    return to;
}

void *memmove(void *to, const void *from, size_t bytes) {
    if (to < from) return memcpy(to, from, bytes);
    for (size_t at = bytes; at > 0; at--) ((unsigned char *)to)[at - 1] = ((const unsigned char *)from)[at - 1];
    return to;
}

void *memset(void *to, int byte, size_t bytes) {
    for (size_t at = 0; at < bytes; at++) ((unsigned char *)to)[at] = (unsigned char)byte;
    return to;
}

int memcmp(const void *one, const void *other, size_t bytes) {
    for (size_t at = 0; at < bytes; at++) {
        int difference = ((const unsigned char *)one)[at] - ((const unsigned char *)other)[at];
        if (difference != 0) return difference;
    }
    return 0;
}

size_t strlen(const char *text) {
    size_t length = 0;
    while (text[length] != '\0') length++;
    return length;
}

// The bindings refer to an object file of their generator's that has the types of the contract. `scruple plugin build` puts the types
// into the module itself, from `wit/`.
void __component_type_object_force_link_constraint(void) {}
