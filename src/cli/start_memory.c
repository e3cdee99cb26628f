// See start_memory.h. Two thirds of the resident memory after the start are pages of the libraries' code and
// constants that the start has touched, or that the kernel mapped around those. What is used again is mapped
// again from the page cache, which costs less than a microsecond a page.
#include "cli/start_memory.h"

#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

// By default glibc returns free memory above 128 kB of a thread's heap to the kernel. Answers of lists pass
// that with each turn, and the kernel then clears the same pages again: 3 page faults a list, and 7 % of its
// CPU. With 2 MB there are 0.5; after a load the service holds 3 MB more. A value set here also ends glibc's
// own adjustment, by which it soon stops to map and unmap each larger block.
#define FREE_BYTES_KEPT (2 * 1024 * 1024) // a thread's heap
#define MAPPED_ALONE_BYTES (1024 * 1024)  // blocks from this size on

void start_memory_set_up(void)
{
    (void)mallopt(M_TRIM_THRESHOLD, FREE_BYTES_KEPT);
    (void)mallopt(M_MMAP_THRESHOLD, MAPPED_ALONE_BYTES);
}

// Only segments that are never written: pages that hold relocated addresses cannot be read again from the
// file.
static int return_pages(struct dl_phdr_info *object, size_t bytes, void *context)
{
    (void)bytes;
    const uintptr_t page_bytes = *(const uintptr_t *)context;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W) != 0) {
            continue;
        }
        const uintptr_t from = (object->dlpi_addr + segment->p_vaddr) & ~(page_bytes - 1);
        const uintptr_t to = object->dlpi_addr + segment->p_vaddr + segment->p_memsz;
        (void)madvise((void *)from, to - from, MADV_DONTNEED);
    }
    return 0;
}

void start_memory_return(void)
{
    uintptr_t page_bytes = (uintptr_t)sysconf(_SC_PAGESIZE);
    (void)malloc_trim(0);
    (void)dl_iterate_phdr(return_pages, &page_bytes);
}
