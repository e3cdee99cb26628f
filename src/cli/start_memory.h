// Returns memory that only the start needed. Loop thread.
#pragma once

void start_memory_return(void);
