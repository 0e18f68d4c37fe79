# SPDX-License-Identifier: Apache-2.0
# The four scalars as a user of Cap'n Proto would send them.
@0xb1d7a2c94e6f8035;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bench::capnproto");

struct Metadata {
  contextId @0 :Int64 = -1;
  messageId @1 :Int64 = -1;
  fromWorkerId @2 :Int32 = -1;
  wrappedMessageType @3 :UInt32;
}
