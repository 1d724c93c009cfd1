#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "cached/base/check.h"

namespace varve {

// What went wrong, in gRPC's words and numbers, so that an error crosses a socket unchanged.
enum class Code : int {
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,  // the caller's fault, whatever the state of the world
  kDeadlineExceeded = 4,
  kNotFound = 5,  // asked for, and absent
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,   // a limit or a full disk
  kFailedPrecondition = 9,  // do something else first
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,     // our bug
  kUnavailable = 14,  // a retry may help
  kDataLoss = 15,     // a digest or checksum does not match
  kUnauthenticated = 16,
};

std::string_view CodeName(Code code);

// An error travels up by value. Each layer that knows a noun puts it in front: "pull x: layer sha256:ab…: digest
// mismatch".
class [[nodiscard]] Error {
 public:
  Error(Code code, std::string message) : code_(code), message_(std::move(message)) {}

  Code code() const { return code_; }
  const std::string& message() const { return message_; }

  // The same error with "context: " in front.
  Error In(std::string_view context) const;

 private:
  Code code_;
  std::string message_;
};

// The errno border: ENOSPC and EDQUOT become kResourceExhausted, ENOENT kNotFound, EACCES and EPERM kPermissionDenied,
// …
Error ErrnoError(int error_number, std::string_view context);

// A value or an Error; never neither. Reading the value of an error is our bug and ends the process.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}  // NOLINT(google-explicit-constructor): return value;
  Result(Error error) : state_(std::unexpected(std::move(error))) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return state_.has_value(); }
  const Error& error() const {
    VARVE_CHECK(!ok());
    return state_.error();
  }
  T& value() & {
    VARVE_CHECK(ok());
    return *state_;
  }
  const T& value() const& {
    VARVE_CHECK(ok());
    return *state_;
  }
  T&& value() && {
    VARVE_CHECK(ok());
    return *std::move(state_);
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  Result<T> In(std::string_view context) && {
    if (ok()) return std::move(*this);
    return error().In(context);
  }
  void IgnoreError(std::string_view /*why*/) const {}

 private:
  std::expected<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : state_(std::unexpected(std::move(error))) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return state_.has_value(); }
  const Error& error() const {
    VARVE_CHECK(!ok());
    return state_.error();
  }

  Result<void> In(std::string_view context) && {
    if (ok()) return {};
    return error().In(context);
  }
  void IgnoreError(std::string_view /*why*/) const {}

 private:
  std::expected<void, Error> state_;
};

using Status = Result<void>;

inline Status Ok() { return {}; }

}  // namespace varve

#define VARVE_CONCAT_INNER(a, b) a##b
#define VARVE_CONCAT(a, b) VARVE_CONCAT_INNER(a, b)

// Returns the error of `expression` from this function, if it has one.
#define VARVE_RETURN_IF_ERROR(expression)                                                  \
  do {                                                                                     \
    if (auto varve_status = (expression); !varve_status.ok()) return varve_status.error(); \
  } while (false)

// Declares or assigns `lhs` from the Result `expression`, or returns its error.
#define VARVE_ASSIGN_OR_RETURN(lhs, expression) \
  VARVE_ASSIGN_IMPL(VARVE_CONCAT(varve_result_, __LINE__), lhs, expression)
#define VARVE_ASSIGN_IMPL(result, lhs, expression) \
  auto result = (expression);                      \
  if (!result.ok()) return result.error();         \
  lhs = std::move(result).value()
