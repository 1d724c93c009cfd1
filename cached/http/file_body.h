#pragma once

#include <cstdint>

#include "cached/base/result.h"
#include "cached/http/channel.h"
#include "cached/http/message.h"
#include "cached/http/worker_seat.h"

namespace varve {

// Sends `body` on `channel`, by sendfile where that can be, and counts in `sent_bytes`. Before each MiB it asks the
// kernel whether that is in memory; if not, a worker has it read, for the thread of the connection never waits for a
// disk. (Where a file system cannot tell, it is taken to be in memory.)
Task<Status> SendFileBody(Channel& channel, WorkerSeat& seat, const HttpFileBody& body, std::uint64_t& sent_bytes);

}  // namespace varve
