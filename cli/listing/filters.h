#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cached/base/result.h"

namespace varve {

// What `--filter KEY=VALUE`, maybe given several times, asks for. docker's rule: values of one key are alternatives,
// but all labels must be there; all keys must hold.
class Filters {
 public:
  using Labels = std::map<std::string, std::string>;

  // kInvalidArgument for an argument without "=", and a key that is not in `known`.
  static Result<Filters> Parse(const std::vector<std::string>& arguments, const std::vector<std::string_view>& known);

  // The values of `key`; none if it was not given.
  const std::vector<std::string>& Of(std::string_view key) const;
  // Whether one of its values holds, or `key` was not given.
  bool Pass(std::string_view key, const std::function<bool(const std::string&)>& holds) const;
  // Whether `name` has one of the texts of name= in it: at its beginning with "^" or docker's "/" in front, at its end
  // with "$" behind. That is what is understood of docker's regular expressions.
  bool PassName(std::string_view name) const;
  // kInvalidArgument if a value of `key` is not `known`.
  Status Check(std::string_view key, const std::function<bool(const std::string&)>& known) const;
  // Whether a thing with `labels` has all that label=NAME and label=NAME=VALUE ask for, and none that label!= does.
  bool PassLabels(const Labels& labels) const;
  // The one value of `key`, true or 1, false or 0; `otherwise` if it was not given. kInvalidArgument if it is something
  // else.
  Result<bool> Flag(std::string_view key, bool otherwise) const;

 private:
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
};

}  // namespace varve
