#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cached/http/message.h"
#include "cached/store/repositories.h"

namespace varve::v2 {

// The answers of the distribution API (OCI distribution-spec, "Error Codes" and "Content Discovery").

// `{"errors":[{"code":…,"message":…}]}` with `status`.
HttpResponse ErrorReply(int status, std::string_view code, std::string_view message);

// An answer without content: `status`, and `location` where it is not empty.
HttpResponse EmptyReply(int status, std::string location = "");

// This address does not take the request's method; `allowed` is a list of those that it takes.
HttpResponse NotAllowedReply(std::string allowed);

// One page of a list; `next` is the address of the following one, if there is one.
HttpResponse TagsReply(const std::string& repository, std::span<const std::string> tags,
                       const std::optional<std::string>& next);
HttpResponse RepositoriesReply(std::span<const std::string> repositories, const std::optional<std::string>& next);
HttpResponse ReferrersReply(std::span<const Repositories::Referrer> referrers, bool filtered,
                            const std::optional<std::string>& next);

}  // namespace varve::v2
