#include "cached/transfer/layer_tars.h"

#include "cached/ingest/tar_recipe.h"
#include "cached/store/layer_content.h"

namespace varve {

Status ReadLayerTars(Store& store, std::span<const Digest> diff_ids, const LayerTarSink& sink,
                     const CancelToken& cancel) {
  LeaseTable::Session session(store.leases());
  for (const Digest& diff_id : diff_ids) {
    const bool alive = session.Touch(diff_id);
    VARVE_ASSIGN_OR_RETURN(const auto record, store.FindLayer(diff_id));
    if (alive && record) continue;
    return Error(Code::kNotFound,
                 "layer " + diff_id.ToString() +
                     (record ? ": damaged or being removed; run: varve store verify" : ": is not stored"));
  }
  for (std::size_t layer = 0; layer < diff_ids.size(); ++layer) {
    const std::string noun = "layer " + diff_ids[layer].ToString();
    auto content = LayerContent::Open(store, diff_ids[layer]);
    if (!content.ok()) return content.error().In(noun);
    int blocks = 0;
    Status taken;
    const Status replayed = ReplayTarRecipe(diff_ids[layer], content->tar_bytes(),
                                            {.next_block = [&] { return content->RecipeBlock(blocks++); },
                                             .chunk = [&](std::uint32_t ordinal) { return content->Chunk(ordinal); },
                                             .on_tar = [&](ByteSpan piece) -> Status {
                                               taken = cancel.Check();
                                               if (taken.ok()) taken = sink(layer, piece);
                                               return taken;
                                             }});
    if (!taken.ok()) return taken;
    if (!replayed.ok()) return replayed.error().In(noun);
  }
  return Ok();
}

}  // namespace varve
