#include "cached/server/server.h"

#include <grpcpp/grpcpp.h>
#include <grpcpp/server_posix.h>
#include <poll.h>
#include <sys/eventfd.h>

#include "cached/base/fd.h"
#include "cached/base/log.h"
#include "cached/registry/curl_transport.h"
#include "cached/server/driver_sessions.h"
#include "cached/server/housekeeper.h"
#include "cached/server/images_service.h"
#include "cached/server/registry_service.h"
#include "cached/server/store_service.h"
#include "cached/server/system_service.h"
#include "cached/server/unix_listener.h"

namespace varve {
namespace {

constexpr int kMessageBytesMax = 64 << 20;
constexpr int kGrpcThreadsMax = 64;
constexpr int kAcceptBackOffMs = 500;  // while descriptors have run out

// Takes in peers until one of the two descriptors is readable. gRPC would accept by itself, but asks nobody who it is.
void AcceptUntilStop(UnixListener& listener, grpc::Server& server, int stop_fd, int client_stop_fd) {
  pollfd fds[] = {{stop_fd, POLLIN, 0}, {client_stop_fd, POLLIN, 0}, {listener.fd(), POLLIN, 0}};
  while (true) {
    if (::poll(fds, std::size(fds), -1) < 0) continue;  // EINTR
    if (fds[0].revents != 0 || fds[1].revents != 0) return;
    auto peer = listener.Accept();
    for (; peer.ok() && peer->valid(); peer = listener.Accept())
      grpc::AddInsecureChannelFromFd(&server, peer->Release());
    if (peer.ok()) continue;
    LogError("{}", peer.error().message());
    ::poll(fds, 2, kAcceptBackOffMs);
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
  UseLeases leases(Clock::Real());
  Pruner pruner(*store, catalog, driver, leases, options.push_grace);
  Housekeeper housekeeper(*store, pruner, options.max_store_bytes);
  ImagesService images(*store, catalog, installer, transport, leases,
                       [&](const Digest& manifest) { housekeeper.Pulled(manifest); });
  RegistryService registry(*store, catalog, transport);
  std::unique_ptr<RegistryEndpoint> hosting;
  StoreService store_service(*store, catalog, pruner, installer, transport,
                             [&](const Store::KeepWaiting& keep_waiting) {
                               return hosting == nullptr ? Ok() : hosting->WaitForIntake(keep_waiting);
                             });
  SystemService system(paths, options.config_files, driver, [&] { ::eventfd_write(client_stop.get(), 1); });

  if (!options.hosting.listen.empty()) {
    VARVE_ASSIGN_OR_RETURN(hosting, RegistryEndpoint::Start(*store, installer, Clock::Real(), options.hosting));
  }
  VARVE_RETURN_IF_ERROR(Fs::Real().MakeDirectories(paths.sockets));
  const std::string socket = paths.socket("cached");
  VARVE_ASSIGN_OR_RETURN(UnixListener listener, UnixListener::Create(socket, options.listen_group));
  grpc::ServerBuilder builder;
  grpc::ResourceQuota quota("varve-cached");
  quota.SetMaxThreads(kGrpcThreadsMax);
  builder.SetResourceQuota(quota);
  builder.SetMaxReceiveMessageSize(kMessageBytesMax);
  builder.RegisterService(&images);
  builder.RegisterService(&driver);
  builder.RegisterService(&registry);
  builder.RegisterService(&store_service);
  builder.RegisterService(&system);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return Error(Code::kInternal, "gRPC does not start");
  LogInfo("varve-cached {} serves {}", VARVE_VERSION, paths.root);
  AcceptUntilStop(listener, *server, stop_fd, client_stop.get());
  server->Shutdown(std::chrono::system_clock::now() + options.stop_grace);
  server->Wait();
  if (hosting != nullptr) hosting->Stop(options.stop_grace);
  hosting.reset();
  ::unlink(socket.c_str());
  LogInfo("stopped");
  return Ok();
}

}  // namespace varve
