#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace varve {

// One way to authenticate that a WWW-Authenticate header offers (RFC 9110, 11.6.1): Bearer
// realm="https://…",service="…".
struct Challenge {
  std::string scheme;                             // in lower case
  std::map<std::string, std::string> parameters;  // names in lower case
};

// Every challenge of a header or of several joined by ", ". What cannot be read ends the list.
std::vector<Challenge> ParseChallenges(std::string_view header);

}  // namespace varve
