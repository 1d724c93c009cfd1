#pragma once

#include <vector>

#include "cached/oci/descriptor.h"
#include "cached/oci/fields_json.h"

namespace varve {

// kInvalidArgument unless `json` is a descriptor; kResourceExhausted beyond kBlobBytesMax.
Result<Descriptor> ParseDescriptor(const Json& json);
// Those of the list `key`, none where it is absent; errors name the place. kResourceExhausted if there are more than
// `most`.
Result<std::vector<Descriptor>> ParseDescriptors(const Json& json, const char* key, std::size_t most);

}  // namespace varve
