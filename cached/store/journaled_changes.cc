#include "cached/store/journaled_changes.h"

namespace varve {

void JournaledChanges::Put(Column column, std::string_view key, std::string value) {
  batch_.Put(column, key, value);
  store::Journal::Change& change = *journal_.add_changes();
  change.set_column(static_cast<std::uint32_t>(column));
  change.set_key(std::string(key));
  change.set_value(std::move(value));
}

void JournaledChanges::Erase(Column column, std::string_view key) {
  batch_.Erase(column, key);
  store::Journal::Change& change = *journal_.add_changes();
  change.set_column(static_cast<std::uint32_t>(column));
  change.set_key(std::string(key));
  change.set_erased(true);
}

}  // namespace varve
