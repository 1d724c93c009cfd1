#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>

namespace varve {

// Asio's types bound to the one executor that is used here: an io_context that one thread runs. So whatever a coroutine
// touches is that thread's alone, and needs no lock.
using HttpExecutor = boost::asio::io_context::executor_type;
template <class T>
using Task = boost::asio::awaitable<T, HttpExecutor>;
using TcpSocket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, HttpExecutor>;
using TcpAcceptor = boost::asio::basic_socket_acceptor<boost::asio::ip::tcp, HttpExecutor>;
using SteadyTimer =
    boost::asio::basic_waitable_timer<std::chrono::steady_clock, boost::asio::wait_traits<std::chrono::steady_clock>,
                                      HttpExecutor>;

// co_await with it gives the error code as a part of the outcome, and throws nothing.
constexpr boost::asio::as_tuple_t<boost::asio::use_awaitable_t<HttpExecutor>> kNoThrow;

}  // namespace varve
