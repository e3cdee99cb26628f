// How the allocator holds memory, set once before there are threads, and what the start returns.
#pragma once

void start_memory_set_up(void);
// Returns memory that only the start needed. Loop thread.
void start_memory_return(void);
