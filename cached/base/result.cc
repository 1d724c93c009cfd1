#include "cached/base/result.h"

#include <cerrno>
#include <system_error>

namespace varve {

std::string_view CodeName(Code code) {
  switch (code) {
    case Code::kCancelled:
      return "cancelled";
    case Code::kUnknown:
      return "unknown";
    case Code::kInvalidArgument:
      return "invalid argument";
    case Code::kDeadlineExceeded:
      return "deadline exceeded";
    case Code::kNotFound:
      return "not found";
    case Code::kAlreadyExists:
      return "already exists";
    case Code::kPermissionDenied:
      return "permission denied";
    case Code::kResourceExhausted:
      return "resource exhausted";
    case Code::kFailedPrecondition:
      return "failed precondition";
    case Code::kAborted:
      return "aborted";
    case Code::kOutOfRange:
      return "out of range";
    case Code::kUnimplemented:
      return "unimplemented";
    case Code::kInternal:
      return "internal";
    case Code::kUnavailable:
      return "unavailable";
    case Code::kDataLoss:
      return "data loss";
    case Code::kUnauthenticated:
      return "unauthenticated";
  }
  return "unknown";
}

Error Error::In(std::string_view context) const {
  std::string message(context);
  message += ": ";
  message += message_;
  return {code_, std::move(message)};
}

Error ErrnoError(int error_number, std::string_view context) {
  const Code code = [&] {
    switch (error_number) {
      case ENOSPC:
      case EDQUOT:
      case EMFILE:
      case ENFILE:
      case ENOMEM:
        return Code::kResourceExhausted;
      case ENOENT:
        return Code::kNotFound;
      case EEXIST:
        return Code::kAlreadyExists;
      case EACCES:
      case EPERM:
      case EROFS:
        return Code::kPermissionDenied;
      case EINVAL:
        return Code::kInvalidArgument;
      case EAGAIN:
      case ECONNREFUSED:
      case ECONNRESET:
      case EPIPE:
        return Code::kUnavailable;
      case EBUSY:
      case ENOTEMPTY:
        return Code::kFailedPrecondition;
      default:
        return Code::kUnknown;
    }
  }();
  std::string message(context);
  message += ": ";
  message += std::generic_category().message(error_number);
  return {code, std::move(message)};
}

}  // namespace varve
