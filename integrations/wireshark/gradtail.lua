-- SPDX-License-Identifier: Apache-2.0
-- Wireshark dissector for gradtail trailers, made from FORMAT.md alone; sections are those of it.
--
-- Copy this file into the folder "Personal Lua Plugins" of Help > About > Folders, or run
--     wireshark -X lua_script:gradtail.lua
-- It is one file, as long as it is, because Wireshark runs every file of that folder by itself.
--
-- Messages are found by themselves at the end of UDP datagrams, behind a length in TCP streams, in
-- ZMTP (ZeroMQ) and in gRPC. Where they aren't, name the ports in the preferences of "GRADTAIL", or
-- use Decode As.

local MAGIC = "GTL\xA7"
local FOOTER_SIZE = 16
local MIN_TRAILER_SIZE = 32
local MAX_PAIRS = 128

local gradtail = Proto("gradtail", "gradtail autograd metadata")
local gradtail_tcp = Proto("gradtail_tcp", "gradtail messages behind a length")
local gradtail_zmtp = Proto("gradtail_zmtp", "gradtail messages in ZMTP")

gradtail.prefs.tcp_ports = Pref.range("TCP ports, length in front", "",
  "Ports of streams in which each message follows its length", 65535)
gradtail.prefs.prefix = Pref.enum("Length in front", 0,
  "How the length of a message is written, which doesn't count its own bytes", {
    {1, "auto", 0}, {2, "be32", 1}, {3, "le32", 2}, {4, "be64", 3}, {5, "le64", 4}, {6, "be16", 5}},
  false)
gradtail.prefs.zmtp_ports = Pref.range("TCP ports, ZMTP", "", "Ports of ZeroMQ sockets", 65535)
gradtail.prefs.udp_ports = Pref.range("UDP ports", "",
  "Ports of datagrams that each end in a trailer, also if it isn't valid", 65535)
gradtail.prefs.limit = Pref.uint("Limit", 4096, "The largest trailer that the receiver accepts")
gradtail.prefs.stacked = Pref.bool("Stacked trailers", false,
  "Look for another trailer at the end of each payload")

-- Operators on bits are in a library of Lua 5.2 and in the language from 5.3 on.
local bit = bit32 or load([[return {
  bxor = function(a, b) return a ~ b end, band = function(a, b) return a & b end,
  rshift = function(a, n) return a >> n end}]])()

-- Section 3. In the order of the ids; `size` of the map is that of its offset.
local FIELDS = {
  {name = "context_id", size = 8, id = true},
  {name = "message_id", size = 8, id = true},
  {name = "from_worker_id", size = 4},
  {name = "wrapped_message_type", size = 4},
  {name = "device_map", size = 4},
  {name = "retain_graph", size = 1},
  {name = "rref_created_on", size = 4},
  {name = "rref_local_id", size = 8, id = true},
}

local f = {
  payload_size = ProtoField.uint64("gradtail.payload_size", "Payload size"),
  trailer = ProtoField.none("gradtail.trailer", "Trailer"),
  context_id = ProtoField.int64("gradtail.context_id", "Context id"),
  message_id = ProtoField.int64("gradtail.message_id", "Message id"),
  from_worker_id = ProtoField.int32("gradtail.from_worker_id", "From worker"),
  wrapped_message_type = ProtoField.uint32("gradtail.wrapped_message_type", "Wrapped message type",
    base.DEC_HEX),
  device_map = ProtoField.uint32("gradtail.device_map", "Device map, pairs"),
  retain_graph = ProtoField.uint8("gradtail.retain_graph", "Retain graph"),
  rref_created_on = ProtoField.int32("gradtail.rref_created_on", "RRef created on"),
  rref_local_id = ProtoField.int64("gradtail.rref_local_id", "RRef local id"),
  id_worker = ProtoField.uint16("gradtail.id.worker", "Worker"),
  id_counter = ProtoField.uint64("gradtail.id.counter", "Counter"),
  pair = ProtoField.string("gradtail.device_map.pair", "Pair"),
  root = ProtoField.uint32("gradtail.root_offset", "Root offset"),
  identifier = ProtoField.string("gradtail.identifier", "Identifier"),
  trailer_size = ProtoField.uint32("gradtail.trailer_size", "Trailer size"),
  version = ProtoField.uint16("gradtail.version", "Version"),
  required_flags = ProtoField.uint16("gradtail.required_flags", "Required flags", base.HEX),
  checksum = ProtoField.uint32("gradtail.checksum", "Checksum", base.HEX),
  checksum_calculated = ProtoField.uint32("gradtail.checksum.calculated", "Calculated checksum",
    base.HEX),
  magic = ProtoField.bytes("gradtail.magic", "Magic"),
  accepted = ProtoField.bool("gradtail.accepted", "Accepted"),
  code = ProtoField.string("gradtail.error.code", "Code"),
  check = ProtoField.string("gradtail.error.check", "Check"),
  field = ProtoField.string("gradtail.error.field", "Field"),
  offset = ProtoField.uint64("gradtail.error.offset", "Offset in the message"),
}
gradtail.fields = f

-- Section 6: an expert info for each of the nine checks.
local SEVERITY = {absent = expert.severity.NOTE, unsupported = expert.severity.WARN,
  corrupt = expert.severity.ERROR, too_large = expert.severity.WARN,
  invalid = expert.severity.ERROR}
local CHECKS = {
  magic = {"absent", "no trailer: too short, or not the magic 47 54 4C A7 at the end"},
  version = {"unsupported", "the version isn't 1"},
  required_flags = {"unsupported", "a required flag is unknown"},
  trailer_size = {"corrupt", "trailer_size must be a multiple of 8, from 32 to the message's size"},
  limit = {"too_large", "trailer_size is over the limit"},
  checksum = {"corrupt", "the checksum is wrong"},
  identifier = {"unsupported", "the table's identifier isn't AGMD"},
  layout = {"invalid", "the table isn't a valid FlatBuffers table"},
  values = {"invalid", "a value isn't allowed"},
}
local experts = {}
for check, about in pairs(CHECKS) do
  local group = check == "checksum" and expert.group.CHECKSUM or expert.group.MALFORMED
  experts[check] = ProtoExpert.new("gradtail.expert." .. check, "gradtail: " .. about[2], group,
    SEVERITY[about[1]])
end
gradtail.experts = experts

-- Numbers in strings of bytes, little-endian. Positions count from 0.

local function reader(format)
  return function(bytes, at) return (Struct.unpack(format, bytes, at + 1)) end
end
local u8, i8, u16, u32, i32 = reader("B"), reader("b"), reader("<H"), reader("<I4"), reader("<i4")

-- Section 2: CRC-32C, reflected.

local crc_table = {}
for byte = 0, 255 do
  local crc = byte
  for _ = 1, 8 do
    local shifted = bit.rshift(crc, 1)
    crc = bit.band(crc, 1) == 1 and bit.bxor(shifted, 0x82F63B78) or shifted
  end
  crc_table[byte] = crc
end

local function crc32c(bytes)
  local crc = 0xFFFFFFFF
  for i = 1, #bytes do
    local index = bit.band(bit.bxor(crc, bytes:byte(i)), 0xFF)
    crc = bit.bxor(bit.rshift(crc, 8), crc_table[index])
  end
  return bit.bxor(crc, 0xFFFFFFFF)
end

local function checksum(trailer, payload_size)
  local size = {}
  for i = 1, 8 do
    size[i] = string.char(math.floor(payload_size % 256))
    payload_size = math.floor(payload_size / 256)
  end
  return crc32c(trailer:sub(1, #trailer - 8) .. table.concat(size))
end

-- Section 5: where the fields are, or nil.

local function find_map(bytes, at)
  local offset = u32(bytes, at)
  local length = at + offset
  if offset == 0 or offset >= 2^31 or length % 4 ~= 0 or length > #bytes - 4 then return nil end
  local count = u32(bytes, length)
  if count > math.floor((#bytes - length - 4) / 4) then return nil end
  return length, count
end

local function find_fields(bytes)
  local function inside(at, size) return at >= 0 and at <= #bytes - size end
  local root = u32(bytes, 0)
  if root == 0 or root % 4 ~= 0 or not inside(root, 4) then return nil end
  local vtable = root - i32(bytes, root)
  if vtable % 2 ~= 0 or not inside(vtable, 2) then return nil end
  local vtable_size = u16(bytes, vtable)
  if vtable_size % 2 ~= 0 or not inside(vtable, vtable_size) then return nil end
  local positions = {}
  for id, field in ipairs(FIELDS) do
    local entry = 4 + 2 * (id - 1)
    local slot = entry < vtable_size and u16(bytes, vtable + entry) or 0
    if slot ~= 0 then
      local at = root + slot
      if at % field.size ~= 0 or not inside(at, field.size) then return nil end
      positions[field.name] = at
    end
  end
  if positions.device_map then
    positions.map, positions.count = find_map(bytes, positions.device_map)
    if not positions.map then return nil end
  end
  return positions
end

-- Section 6, check 9: the first value that isn't allowed, as its field and position; or nil.

local function bad_number(bytes, at, size)
  local top = u8(bytes, at + size - 1)
  return top >= 128 and bytes:sub(at + 1, at + size) ~= ("\xFF"):rep(size)
end

local function bad_pair(bytes, at, previous)
  for i = 0, 2, 2 do
    local kind = i8(bytes, at + i)
    if kind < 0 or kind > 63 then return "device_map_type" end
  end
  for i = 1, 3, 2 do
    if i8(bytes, at + i) < -1 then return "device_map_index" end
  end
  local source = 256 * i8(bytes, at) + i8(bytes, at + 1)
  if previous and source <= previous then return "device_map_source" end
  return nil, source
end

local function bad_map(bytes, positions)
  if positions.count > MAX_PAIRS then return "device_map_size", positions.map end
  local previous
  for i = 0, positions.count - 1 do
    local at = positions.map + 4 + 4 * i
    local field, source = bad_pair(bytes, at, previous)
    if field then return field, at end
    previous = source
  end
  local targets = {}
  for i = 0, positions.count - 1 do
    local at = positions.map + 4 + 4 * i
    local target = u16(bytes, at + 2)
    if targets[target] then return "device_map_target", at end
    targets[target] = true
  end
end

local function bad_value(bytes, positions)
  for _, field in ipairs(FIELDS) do
    local at = positions[field.name]
    if not at or field.name == "wrapped_message_type" then
      -- absent, or any value is allowed
    elseif field.name == "device_map" then
      local name, where = bad_map(bytes, positions)
      if name then return name, where end
    elseif field.name == "retain_graph" then
      if u8(bytes, at) > 1 then return field.name, at end
    elseif bad_number(bytes, at, field.size) then
      return field.name, at
    end
  end
end

-- Section 6: the checks in their order. Returns what is known of the trailer, with `error` unless
-- it is accepted.

local function judge(message)
  local n = message:len()
  local found = {n = n}
  local function refuse(check, offset, field)
    found.error = {check = check, code = CHECKS[check][1], offset = offset, field = field or "none"}
    return found
  end
  if n < FOOTER_SIZE then return refuse("magic", 0) end
  local footer = message:raw(n - FOOTER_SIZE, FOOTER_SIZE)
  if footer:sub(13) ~= MAGIC then return refuse("magic", n - 4) end
  found.footer = true
  if u16(footer, 4) ~= 1 then return refuse("version", n - 12) end
  if u16(footer, 6) ~= 0 then return refuse("required_flags", n - 10) end
  local t = u32(footer, 0)
  if t > n or t < MIN_TRAILER_SIZE or t % 8 ~= 0 then return refuse("trailer_size", n - 16) end
  if t > gradtail.prefs.limit then return refuse("limit", n - 16) end
  found.at = n - t
  local trailer = message:raw(found.at, t)
  found.checksum = checksum(trailer, found.at)
  if u32(footer, 8) ~= found.checksum then return refuse("checksum", n - 8) end
  if trailer:sub(5, 8) ~= "AGMD" then return refuse("identifier", found.at + 4) end
  local bytes = trailer:sub(1, t - FOOTER_SIZE)
  found.positions = find_fields(bytes)
  if not found.positions then return refuse("layout", found.at) end
  local field, at = bad_value(bytes, found.positions)
  if field then return refuse("values", found.at + at, field) end
  return found
end

-- The tree.

local function device(kind, index)
  local names = {[0] = "cpu", [1] = "cuda"}
  local name = names[kind] or ("device" .. kind)
  return index == -1 and name or name .. ":" .. index
end

local function add_id(tree, range)
  if range:le_int64() < Int64(0) then return end
  tree:add_le(f.id_worker, range:range(6, 2))
  local counter = range:range(0, 6):le_uint64()
  tree:add(f.id_counter, range:range(0, 6), counter)
  tree:append_text(" (worker " .. range:range(6, 2):le_uint() .. ", counter " ..
    tostring(counter) .. ")")
end

local function add_map(tree, message, at, count)
  local map = tree:add_le(f.device_map, message:range(at, 4))
  for i = 0, math.min(count, MAX_PAIRS) - 1 do
    local range = message:range(at + 4 + 4 * i, 4)
    local b = range:bytes():raw()
    map:add(f.pair, range, device(i8(b, 0), i8(b, 1)) .. " -> " .. device(i8(b, 2), i8(b, 3)))
  end
end

local function add_fields(tree, message, found)
  for _, field in ipairs(FIELDS) do
    local at = found.positions[field.name]
    if at and field.name == "device_map" then
      add_map(tree, message, found.at + found.positions.map, found.positions.count)
    elseif at then
      local range = message:range(found.at + at, field.size)
      local item = tree:add_le(f[field.name], range)
      if field.id then add_id(item, range) end
    end
  end
end

local function add_footer(tree, message, found)
  local at = found.n - FOOTER_SIZE
  tree:add_le(f.trailer_size, message:range(at, 4))
  tree:add_le(f.version, message:range(at + 4, 2))
  tree:add_le(f.required_flags, message:range(at + 6, 2))
  local item = tree:add_le(f.checksum, message:range(at + 8, 4))
  if found.checksum then
    item:add(f.checksum_calculated, message:range(at + 8, 4), found.checksum):set_generated()
    local is_right = message:range(at + 8, 4):le_uint() == found.checksum
    item:append_text(is_right and " (correct)" or " (wrong)")
  end
  tree:add(f.magic, message:range(at + 12, 4))
end

local function add_error(tree, message, found)
  local e = found.error
  local where = message:range(math.min(e.offset, found.n), math.min(1, found.n - e.offset))
  for _, name in ipairs({"code", "check", "field"}) do
    tree:add(f[name], where, e[name]):set_generated()
  end
  tree:add(f.offset, where, UInt64(e.offset)):set_generated()
  local text = e.code .. " at byte " .. e.offset .. ": " ..
    (e.field ~= "none" and "the value of " .. e.field .. " isn't allowed" or CHECKS[e.check][2])
  tree:add_proto_expert_info(experts[e.check], text)
  tree:append_text(", " .. text)
  return text
end

local function summary(message, found)
  local parts = {}
  for _, name in ipairs({"context_id", "message_id"}) do
    local at = found.positions[name]
    if at then
      local label = name:gsub("_id", " ")
      parts[#parts + 1] = label .. tostring(message:range(found.at + at, 8):le_int64())
    end
  end
  return #parts > 0 and table.concat(parts, ", ") or "no ids"
end

-- Adds a message, of which all bytes are there, to the tree.
local function add_message(message, pinfo, tree, found)
  found = found or judge(message)
  local item = tree:add(gradtail, message:range())
  local text
  item:add(f.accepted, message:range(0, 0), not found.error):set_generated()
  if found.at then item:add(f.payload_size, message:range(0, found.at), UInt64(found.at)) end
  if found.footer then
    local at = found.at or found.n - FOOTER_SIZE
    local trailer = item:add(f.trailer, message:range(at))
    if found.at then
      trailer:add_le(f.root, message:range(at, 4))
      trailer:add(f.identifier, message:range(at + 4, 4))
    end
    if found.positions then add_fields(trailer, message, found) end
    add_footer(trailer, message, found)
  end
  if found.error then
    text = add_error(item, message, found)
  else
    text = summary(message, found) .. ", payload " .. found.at
    item:append_text(", " .. text)
  end
  pinfo.cols.protocol = "GRADTAIL"
  pinfo.cols.info:append(" [gradtail " .. text .. "]")
  if gradtail.prefs.stacked and found.at and found.at > 0 and not found.error then
    local payload = message:range(0, found.at):tvb()
    local inner = judge(payload)
    if inner.footer then add_message(payload, pinfo, tree, inner) end
  end
end

function gradtail.dissector(tvb, pinfo, tree)
  add_message(tvb:range():tvb(), pinfo, tree)
  return tvb:len()
end

-- Streams. `measure` tells the size of what begins at an offset; without one, how many bytes are
-- missing to tell, or nil for one segment more.

local function dissect_stream(tvb, pinfo, measure, dissect)
  local at = 0
  while at < tvb:len() do
    local size, missing = measure(tvb, at, pinfo)
    if size and at + size > tvb:len() then size, missing = nil, at + size - tvb:len() end
    if not size then
      pinfo.desegment_offset = at
      pinfo.desegment_len = missing or DESEGMENT_ONE_MORE_SEGMENT
      return tvb:len()
    end
    dissect(tvb:range(at, size))
    at = at + size
  end
  return at
end

-- A length in front, of 2, 4 or 8 bytes.

local MOST = 2^30
local PREFIXES = {
  {size = 4, read = function(range) return range:uint() end},
  {size = 4, read = function(range) return range:le_uint() end},
  {size = 8, read = function(range) return range:uint64():tonumber() end},
  {size = 8, read = function(range) return range:le_uint64():tonumber() end},
  {size = 2, read = function(range) return range:uint() end},
}
local stream_of = Field.new("tcp.stream")
local prefix_of_stream = {}

-- The length that follows from a prefix at an offset, its own bytes included.
local function length_by(prefix, tvb, at)
  if tvb:len() - at < prefix.size then return nil end
  local length = prefix.read(tvb:range(at, prefix.size))
  return length <= MOST and prefix.size + length or nil
end

-- The prefix by which a whole message with the magic begins at the offset; otherwise the fewest
-- bytes that are missing to tell.
local function guess_prefix(tvb, at)
  local missing
  for _, prefix in ipairs(PREFIXES) do
    local size = length_by(prefix, tvb, at)
    if size and size >= prefix.size + MIN_TRAILER_SIZE then
      local rest = tvb:len() - at - size
      if rest >= 0 and tvb:raw(at + size - 4, 4) == MAGIC then return prefix, size end
      if rest < 0 then missing = math.min(missing or -rest, -rest) end
    end
  end
  return nil, missing
end

-- The prefix that is set, or that was recognized before; and the key of this direction.
local function known_prefix(pinfo)
  local key = tostring(stream_of()) .. ":" .. pinfo.src_port
  return PREFIXES[gradtail.prefs.prefix] or prefix_of_stream[key], key
end

local function measure_prefixed(tvb, at, pinfo)
  local prefix, key = known_prefix(pinfo)
  if not prefix then
    local guessed, missing = guess_prefix(tvb, at)
    if not guessed and missing then return nil, missing end
    prefix = guessed or PREFIXES[1]
    prefix_of_stream[key] = guessed
  end
  if tvb:len() - at < prefix.size then return nil, prefix.size - (tvb:len() - at) end
  return length_by(prefix, tvb, at) or tvb:len() - at
end

function gradtail_tcp.dissector(tvb, pinfo, tree)
  return dissect_stream(tvb, pinfo, measure_prefixed, function(range)
    local prefix = known_prefix(pinfo) or PREFIXES[1]
    if range:len() > prefix.size then
      add_message(range:range(prefix.size):tvb(), pinfo, tree)
    end
  end)
end

-- ZMTP 3: a greeting of 64 bytes, then frames. The frames of a message belong together, and the
-- trailer is at the end of the last.

local GREETING_SIZE = 64

local function is_greeting(tvb, at)
  return tvb:range(at, 1):uint() == 0xFF
end

-- Flags, where the body begins and how long it is; nil if the header isn't all there.
local function frame_at(tvb, at)
  if tvb:len() - at < 2 then return nil end
  local flags = tvb:range(at, 1):uint()
  if bit.band(flags, 2) == 0 then return flags, at + 2, tvb:range(at + 1, 1):uint() end
  if tvb:len() - at < 9 then return nil end
  return flags, at + 9, tvb:range(at + 1, 8):uint64():tonumber()
end

local function measure_zmtp(tvb, at)
  if is_greeting(tvb, at) then return GREETING_SIZE end
  local from = at
  while true do
    local flags, body, size = frame_at(tvb, from)
    if not flags then return nil end
    if flags > 7 or size > MOST then return tvb:len() - at end
    from = body + size
    if bit.band(flags, 1) == 0 then return from - at end
    if from >= tvb:len() then return nil, from > tvb:len() and from - tvb:len() or nil end
  end
end

-- The bodies of all frames of one message, or nil for a command.
local function zmtp_message(range)
  local tvb = range:tvb()
  local flags, body, size = frame_at(tvb, 0)
  if not flags or flags > 3 then return nil end
  if bit.band(flags, 1) == 0 then return size > 0 and range:range(body, size):tvb() or nil end
  local bodies = ByteArray.new()
  local from = 0
  while from < tvb:len() do
    flags, body, size = frame_at(tvb, from)
    if size > 0 then bodies:append(tvb:range(body, size):bytes()) end
    from = body + size
  end
  return bodies:len() > 0 and bodies:tvb("ZeroMQ message") or nil
end

function gradtail_zmtp.dissector(tvb, pinfo, tree)
  return dissect_stream(tvb, pinfo, measure_zmtp, function(range)
    if is_greeting(range:tvb(), 0) then return end
    local message = zmtp_message(range)
    if message then add_message(message, pinfo, tree) end
  end)
end

-- Where messages are found by themselves: the first one must pass every check, so that nothing else
-- is taken for them.

local function is_accepted(message)
  return message:len() >= MIN_TRAILER_SIZE and not judge(message).error
end

gradtail:register_heuristic("udp", function(tvb, pinfo, tree)
  if not is_accepted(tvb) then return false end
  gradtail.dissector(tvb, pinfo, tree)
  return true
end)

gradtail_tcp:register_heuristic("tcp", function(tvb, pinfo, tree)
  local prefix, size = guess_prefix(tvb, 0)
  if not prefix or not is_accepted(tvb:range(prefix.size, size - prefix.size):tvb()) then
    return false
  end
  pinfo.conversation = gradtail_tcp
  gradtail_tcp.dissector(tvb, pinfo, tree)
  return true
end)

gradtail_zmtp:register_heuristic("tcp", function(tvb, pinfo, tree)
  if tvb:len() < 10 or not is_greeting(tvb, 0) then return false end
  if tvb:range(9, 1):uint() ~= 0x7F then return false end
  pinfo.conversation = gradtail_zmtp
  gradtail_zmtp.dissector(tvb, pinfo, tree)
  return true
end)

-- gRPC's dissector hands over the bytes of each message. Those without a trailer go where they
-- would have gone.
local grpc_messages = DissectorTable.get("grpc_message_type")
for _, content in ipairs({"application/grpc", "application/grpc+proto"}) do
  local ok, original = pcall(function() return grpc_messages:get_dissector(content) end)
  local proto = Proto("gradtail_" .. content:gsub("%W", "_"), "gradtail messages in " .. content)
  function proto.dissector(tvb, pinfo, tree)
    local message = tvb:range():tvb()
    local found = judge(message)
    if found.footer then
      add_message(message, pinfo, tree, found)
      return tvb:len()
    end
    return ok and original and original:call(tvb, pinfo, tree) or 0
  end
  grpc_messages:add(content, proto)
end

local tcp = DissectorTable.get("tcp.port")
local udp = DissectorTable.get("udp.port")
local added = {}

local function register(table, ports, proto)
  local key = proto.name
  if added[key] and added[key] ~= "" then table:remove(added[key], proto) end
  if ports ~= "" then table:add(ports, proto) end
  added[key] = ports
end

local function register_ports()
  register(tcp, gradtail.prefs.tcp_ports, gradtail_tcp)
  register(tcp, gradtail.prefs.zmtp_ports, gradtail_zmtp)
  register(udp, gradtail.prefs.udp_ports, gradtail)
end
gradtail.prefs_changed = register_ports

function gradtail.init()
  prefix_of_stream = {}
end

tcp:add_for_decode_as(gradtail_tcp)
tcp:add_for_decode_as(gradtail_zmtp)
udp:add_for_decode_as(gradtail)
register_ports()
