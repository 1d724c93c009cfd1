#include "cached/server/server.h"

#include <grpcpp/grpcpp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include "cached/base/fd.h"
#include "cached/base/log.h"
#include "cached/registry/curl_transport.h"
#include "cached/server/driver_sessions.h"
#include "cached/server/housekeeper.h"
#include "cached/server/images_service.h"
#include "cached/server/store_service.h"
#include "cached/server/system_service.h"

namespace varve {
namespace {

constexpr int kMessageBytesMax = 64 << 20;
constexpr int kGrpcThreadsMax = 64;

// Waits until one of the two is readable.
void AwaitStop(int stop_fd, int client_stop_fd) {
  pollfd fds[] = {{stop_fd, POLLIN, 0}, {client_stop_fd, POLLIN, 0}};
  while (::poll(fds, 2, -1) < 0 && errno == EINTR) {
  }
}

}  // namespace

Status Serve(const RootPaths& paths, const ServerOptions& options, int stop_fd) {
  VARVE_ASSIGN_OR_RETURN(const std::unique_ptr<Store> store, Store::Open(Fs::Real(), paths, options.store));
  const UniqueFd client_stop(::eventfd(0, EFD_CLOEXEC));
  if (!client_stop.valid()) return ErrnoError(errno, "eventfd");
  CurlTransport transport;
  LayerGate gate;
  ImageInstaller installer(*store, gate, Clock::Real(), options.install);
  Catalog catalog(*store, Clock::Real());
  DriverSessions driver(*store);
  Pruner pruner(*store, catalog, driver);
  Housekeeper housekeeper(*store, pruner, options.max_store_bytes);
  ImagesService images(*store, catalog, installer, transport,
                       [&](const Digest& manifest) { housekeeper.Pulled(manifest); });
  StoreService store_service(*store, catalog, pruner);
  SystemService system(paths, driver, [&] { ::eventfd_write(client_stop.get(), 1); });

  VARVE_RETURN_IF_ERROR(Fs::Real().MakeDirectories(paths.sockets));
  const std::string socket = paths.socket("cached");
  ::unlink(socket.c_str());
  const mode_t before = ::umask(0177);  // the socket is 0600 from its first moment
  grpc::ServerBuilder builder;
  grpc::ResourceQuota quota("varve-cached");
  quota.SetMaxThreads(kGrpcThreadsMax);
  builder.SetResourceQuota(quota);
  builder.SetMaxReceiveMessageSize(kMessageBytesMax);
  builder.AddListeningPort("unix:" + socket, grpc::InsecureServerCredentials());
  builder.RegisterService(&images);
  builder.RegisterService(&driver);
  builder.RegisterService(&store_service);
  builder.RegisterService(&system);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  ::umask(before);
  if (server == nullptr) return Error(Code::kUnavailable, socket + ": cannot listen there");
  LogInfo("varve-cached {} serves {}", VARVE_VERSION, paths.root);
  AwaitStop(stop_fd, client_stop.get());
  server->Shutdown(std::chrono::system_clock::now() + options.stop_grace);
  server->Wait();
  ::unlink(socket.c_str());
  LogInfo("stopped");
  return Ok();
}

}  // namespace varve
