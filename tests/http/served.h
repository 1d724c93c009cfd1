#pragma once

#include <memory>
#include <string>
#include <utility>

#include "cached/base/check.h"
#include "cached/http/server.h"
#include "tests/http/http_client.h"
#include "tests/http/scripted_handler.h"

namespace varve {

// A server on a free port of loopback that answers as a script says.
class Served {
 public:
  using Place = HttpHandler::Place;

  explicit Served(ScriptedHandler::Script script, HttpServerOptions options = {},
                  Place place = Place::kConnectionThread)
      : handler_(std::move(script), place) {
    options.listen = "127.0.0.1:0";
    Result<std::unique_ptr<HttpServer>> server = HttpServer::Start(std::move(options), handler_);
    VARVE_CHECK(server.ok());
    server_ = std::move(server).value();
  }

  HttpServer& operator*() { return *server_; }
  HttpServer* operator->() { return server_.get(); }
  HttpClient Client() const { return HttpClient(server_->address()); }

 private:
  ScriptedHandler handler_;
  std::unique_ptr<HttpServer> server_;
};

// Its path, for a request without a body.
inline ScriptedHandler::Answer EchoPath(const HttpRequest& request) { return TextResponse(request.path); }

// A script by which each body goes to a taker that notes in `taken`.
inline ScriptedHandler::Script TakeInto(Taken& taken, Signal* gate = nullptr,
                                        std::optional<HttpResponse> early = std::nullopt) {
  return [&taken, gate, early](const HttpRequest&) -> ScriptedHandler::Answer {
    return std::make_unique<NotingTaker>(taken, gate, early);
  };
}

}  // namespace varve
