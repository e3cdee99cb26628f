// See start_memory.h. Two thirds of the resident memory after the start are pages of the libraries' code and
// constants that the start has touched, or that the kernel mapped around those. What is used again is mapped
// again from the page cache, which costs less than a microsecond a page.
#include "cli/start_memory.h"

#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

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
