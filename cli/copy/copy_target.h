#pragma once

#include "cli/copy/copy_source.h"

namespace varve {

// Writes the image of `source` to files, byte for byte: an OCI layout, to which it is added, or an archive, which is
// replaced. Nothing of it can be seen there before all of it has arrived and was verified; what a layout has already is
// not read. Without `target.name` it gets no tag. kInvalidArgument for several platforms in docker's archive, which
// holds one.
Status CopyToFiles(CopySource& source, const ImageLocation& target, const DaemonClient::OnPullEvent& on_event);

}  // namespace varve
