// Tells the service manager how the service is. Loop thread.
#pragma once

// Sends "READY=1" or the like to the socket that systemd names in $NOTIFY_SOCKET, as sd_notify(3) describes.
// Does nothing where there is none. Waits for a busy manager, but at most 5 s.
void manager_notify(const char *state);
