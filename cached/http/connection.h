#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "cached/base/log.h"
#include "cached/base/thread_pool.h"
#include "cached/http/channel.h"
#include "cached/http/coroutine.h"
#include "cached/http/handler.h"
#include "cached/http/options.h"
#include "cached/http/request_parser.h"
#include "cached/http/request_reader.h"
#include "cached/http/response_head.h"
#include "cached/http/worker_seat.h"

namespace varve {

// The life of a connection.
//
//   handshake (TLS) ─> idle ─> head ─> answer, or taker and body ─> answer is written ─> idle …   or ─> linger ─>
//   closed
//                       └── nothing is held but a coroutine's frame and OpenSSL's state: no buffer, no parser, no timer
//
// Who runs where. A connection belongs to one of the server's threads from accept to close, and one coroutine is all of
// it: no locks, and an exchange is written down in the order in which it happens. The coroutine waits for the socket or
// for a worker, never in a system call. Handlers and takers run on workers (a handler that says so runs here). So a
// slow client costs memory and no thread, and a slow disk costs a worker, and no other client's time.
//
// Back-pressure. A body is read in pieces of 256 KiB. While a worker takes one, the next is read, and when that is full
// nothing more is read before the worker is done:
//
//   socket ──64 KiB──> piece being read │ piece being taken ──> HttpBodyTaker::Take
//
// So what is not taken stays in the kernel's buffers, TCP's window closes, and the client waits: an upload costs at
// most 576 KiB however fast its client is, and a slow disk slows it down. Of small bodies the pieces are small. Answers
// come from memory that the handler shares, or from a file by sendfile: nothing is copied here, but for bodies of up to
// 16 KiB, which go out in one write (and one packet) with their head.
//
// Order. The next request is parsed after the answer to the one before was written: pipelined requests wait in the
// buffer, in order. Nothing is read ahead of what was answered, so a client that only sends is stopped by TCP.
//
// Time-outs (HttpLimits) are about the client alone, and run only while it is waited for: for the next request, for a
// whole head (the sum: a byte now and then does not help), for some progress of a body or of an answer. A wait notes
// when its time is up; the server looks at all connections of a thread a few times a second and interrupts what is
// overdue. A timer for each wait was not made: it costs two operations on a heap for each request, to be exact about
// times that nobody measures.
//
// Ends. An answer that is given before the whole body was read is lost, if we close with bytes of the client unread:
// the kernel then sends a reset, which overtakes the answer. So after it our side is closed, and what comes is dropped
// for some time (HttpLimits::linger), until the client closes too. A client that has just gone, or was silent too long
// between exchanges, is closed at once.

// What the connections of one thread share. Used by that thread alone.
class Connection;
struct ConnectionHome {
  const HttpServerOptions& options;
  HttpHandler& handler;
  ThreadPool& workers;
  std::string id_prefix;  // of requests
  std::uint64_t requests = 0;
  DateText date = {};
  LogLimit log_limit{};
  bool draining = false;  // no exchange begins any more
  std::set<Connection*> connections = {};
};

class Connection {
 public:
  // `home` must outlive it, and lists it. Belongs to the thread of the socket's executor.
  Connection(ConnectionHome& home, TcpSocket socket, std::unique_ptr<Wire> wire, std::string remote);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Its whole life; until then it must not be destroyed.
  Task<void> Serve();

  // Ends it now, but for what a worker does for it; or after the exchange under way.
  void Abort() { channel_.Interrupt(Code::kCancelled); }
  void Drain() {
    if (idle_) Abort();
  }
  void EndOverdueWait(Channel::TimePoint now) { channel_.EndOverdueWait(now); }

 private:
  enum class Then { kNext, kClose, kLinger };
  struct Exchange {  // one request and its answer
    explicit Exchange(std::size_t head_bytes_max) : parser(head_bytes_max) {}
    RequestParser parser;
    Channel::TimePoint begun;
    std::uint64_t received_bytes = 0, sent_bytes = 0;  // of the bodies
  };

  Task<Then> ServeRequest();
  Task<Then> Answer(Exchange& exchange);
  // The taker's answer. Errors are those of reading the body.
  Task<Result<HttpResponse>> Take(Exchange& exchange, std::unique_ptr<HttpBodyTaker> taker);
  Task<Status> Drop(Exchange& exchange);
  // What to say to a client whose request could not be read; nothing if it has gone, or we go.
  std::optional<HttpResponse> Refusal(const RequestParser& parser, const Error& error);
  Task<Status> Write(Exchange& exchange, const HttpResponse& response, ThenConnection then);
  Task<void> Linger();
  void Report(const Exchange& exchange, int status) const;

  ConnectionHome& home_;
  const std::string remote_;
  WorkerSeat seat_;
  Channel channel_;
  RequestReader reader_;
  bool idle_ = true;
};

}  // namespace varve
