/*eslint-disable block-scoped-var, id-length, no-control-regex, no-magic-numbers, no-mixed-operators, no-prototype-builtins, no-redeclare, no-shadow, no-var, sort-vars, default-case, jsdoc/require-param*/
import $protobuf from "protobufjs/minimal.js";

// Common aliases
const $Reader = $protobuf.Reader, $Writer = $protobuf.Writer, $util = $protobuf.util;
const $Object = $util.global.Object, $undefined = $util.global.undefined, $Error = $util.global.Error, $RangeError = $util.global.RangeError;

// Exported root namespace
const $root = $protobuf.roots["default"] || ($protobuf.roots["default"] = {});

export const Message = $root.Message = (() => {

    /**
     * Properties of a Message.
     * @typedef {Object} Message.$Properties
     * @property {Hello.$Properties|null} [hello] Message hello
     * @property {Batch.$Properties|null} [batch] Message batch
     * @property {Link.$Properties|null} [link] Message link
     * @property {"hello"|"batch"|"link"} [body] Message body
     * @property {Array.<Uint8Array>} [$unknowns] Unknown fields preserved while decoding when enabled
     */

    /**
     * Properties of a Message.
     * @exports IMessage
     * @interface IMessage
     * @augments Message.$Properties
     * @deprecated Use Message.$Properties instead.
     */

    /**
     * Narrowed shape of a Message.
     * @typedef {{
     *   hello?: Hello.$Shape|null;
     *   batch?: Batch.$Shape|null;
     *   link?: Link.$Shape|null;
     *   $unknowns?: Array.<Uint8Array>;
     * } & (
     *   ({ body?: undefined; hello?: null; batch?: null; link?: null }|{ body?: "hello"; hello: Hello.$Shape; batch?: null; link?: null }|{ body?: "batch"; hello?: null; batch: Batch.$Shape; link?: null }|{ body?: "link"; hello?: null; batch?: null; link: Link.$Shape })
     * )} Message.$Shape
     */

    /**
     * Constructs a new Message.
     * @exports Message
     * @classdesc Represents a Message.
     * @constructor
     * @param {Message.$Properties=} [properties] Properties to set
     * @property {Array.<Uint8Array>} [$unknowns] Unknown fields preserved while decoding when enabled
     */
    const Message = function (properties) {
        if (properties)
            for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                if (properties[keys[i]] != null && keys[i] !== "__proto__")
                    this[keys[i]] = properties[keys[i]];
    };

    /**
     * Message hello.
     * @member {Hello.$Properties|null|undefined} hello
     * @memberof Message
     * @instance
     */
    Message.prototype.hello = null;

    /**
     * Message batch.
     * @member {Batch.$Properties|null|undefined} batch
     * @memberof Message
     * @instance
     */
    Message.prototype.batch = null;

    /**
     * Message link.
     * @member {Link.$Properties|null|undefined} link
     * @memberof Message
     * @instance
     */
    Message.prototype.link = null;

    // OneOf field names bound to virtual getters and setters
    let $oneOfFields;

    /**
     * Message body.
     * @member {"hello"|"batch"|"link"|undefined} body
     * @memberof Message
     * @instance
     */
    $Object.defineProperty(Message.prototype, "body", {
        get: $util.oneOfGetter($oneOfFields = ["hello", "batch", "link"]),
        set: $util.oneOfSetter($oneOfFields)
    });

    /**
     * Creates a new Message instance using the specified properties.
     * @function create
     * @memberof Message
     * @static
     * @param {Message.$Properties=} [properties] Properties to set
     * @returns {Message} Message instance
     * @type {{
     *   (properties: Message.$Shape): Message & Message.$Shape;
     *   (properties?: Message.$Properties): Message;
     * }}
     */
    Message.create = function(properties) {
        return new Message(properties);
    };

    /**
     * Encodes the specified Message message. Does not implicitly {@link Message.verify|verify} messages.
     * @function encode
     * @memberof Message
     * @static
     * @param {Message.$Properties} message Message message or plain object to encode
     * @param {$protobuf.Writer} [writer] Writer to encode to
     * @returns {$protobuf.Writer} Writer
     */
    Message.encode = function (message, writer, _depth) {
        if (!writer)
            writer = $Writer.create();
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $util.recursionLimit)
            throw $Error("max depth exceeded");
        if (message.hello != null && $Object.hasOwnProperty.call(message, "hello"))
            $root.Hello.encode(message.hello, writer.uint32(/* id 1, wireType 2 =*/10).fork(), _depth + 1).ldelim();
        if (message.batch != null && $Object.hasOwnProperty.call(message, "batch"))
            $root.Batch.encode(message.batch, writer.uint32(/* id 2, wireType 2 =*/18).fork(), _depth + 1).ldelim();
        if (message.link != null && $Object.hasOwnProperty.call(message, "link"))
            $root.Link.encode(message.link, writer.uint32(/* id 3, wireType 2 =*/26).fork(), _depth + 1).ldelim();
        if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
            for (let i = 0; i < message.$unknowns.length; ++i)
                writer.raw(message.$unknowns[i]);
        return writer;
    };

    /**
     * Decodes a Message message from the specified reader or buffer.
     * @function decode
     * @memberof Message
     * @static
     * @param {$protobuf.Reader|Uint8Array} reader Reader or buffer to decode from
     * @param {number} [length] Message length if known beforehand
     * @returns {Message & Message.$Shape} Message
     * @throws {Error} If the payload is not a reader or valid buffer
     * @throws {$protobuf.util.ProtocolError} If required fields are missing
     */
    Message.decode = function (reader, length, _end, _depth, _target) {
        if (!(reader instanceof $Reader))
            reader = $Reader.create(reader);
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $Reader.recursionLimit)
            throw $Error("max depth exceeded");
        let end, message;
        if (length === $undefined)
            end = reader.len;
        else {
            end = reader.pos + length;
            if (end > reader.len)
                throw $RangeError("index out of range");
            length = reader.len;
            reader.len = end;
        }
        message = _target || new $root.Message();
        while (reader.pos < end) {
            let start = reader.pos;
            let tag = reader.tag();
            if (tag === _end) {
                _end = $undefined;
                break;
            }
            let wireType = tag & 7;
            switch (tag >>>= 3) {
            case 1: {
                    if (wireType !== 2)
                        break;
                    message.hello = $root.Hello.decode(reader, reader.size(), $undefined, _depth + 1, message.hello);
                    message.body = "hello";
                    continue;
                }
            case 2: {
                    if (wireType !== 2)
                        break;
                    message.batch = $root.Batch.decode(reader, reader.size(), $undefined, _depth + 1, message.batch);
                    message.body = "batch";
                    continue;
                }
            case 3: {
                    if (wireType !== 2)
                        break;
                    message.link = $root.Link.decode(reader, reader.size(), $undefined, _depth + 1, message.link);
                    message.body = "link";
                    continue;
                }
            }
            reader.skipType(wireType, _depth, tag);
            if (!reader.discardUnknown) {
                $util.makeProp(message, "$unknowns", false);
                (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
            }
        }
        if (length !== $undefined) {
            if (reader.pos !== end)
                throw $RangeError("index out of range");
            reader.len = length;
        }
        if (_end !== $undefined)
            throw $Error("missing end group");
        return message;
    };

    return Message;
})();

export const Hello = $root.Hello = (() => {

    /**
     * Properties of a Hello.
     * @typedef {Object} Hello.$Properties
     * @property {number|null} [version] Hello version
     * @property {string|null} [lab] Hello lab
     * @property {string|null} [wire] Hello wire
     * @property {string|null} [end] Hello end
     * @property {number|null} [epoch] Hello epoch
     * @property {string|null} [token] Hello token
     * @property {Array.<Uint8Array>} [$unknowns] Unknown fields preserved while decoding when enabled
     */

    /**
     * Properties of a Hello.
     * @exports IHello
     * @interface IHello
     * @augments Hello.$Properties
     * @deprecated Use Hello.$Properties instead.
     */

    /**
     * Shape of a Hello.
     * @typedef {Hello.$Properties} Hello.$Shape
     */

    /**
     * Constructs a new Hello.
     * @exports Hello
     * @classdesc Represents a Hello.
     * @constructor
     * @param {Hello.$Properties=} [properties] Properties to set
     * @property {Array.<Uint8Array>} [$unknowns] Unknown fields preserved while decoding when enabled
     */
    const Hello = function (properties) {
        if (properties)
            for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                if (properties[keys[i]] != null && keys[i] !== "__proto__")
                    this[keys[i]] = properties[keys[i]];
    };

    /**
     * Hello version.
     * @member {number} version
     * @memberof Hello
     * @instance
     */
    Hello.prototype.version = 0;

    /**
     * Hello lab.
     * @member {string} lab
     * @memberof Hello
     * @instance
     */
    Hello.prototype.lab = "";

    /**
     * Hello wire.
     * @member {string} wire
     * @memberof Hello
     * @instance
     */
    Hello.prototype.wire = "";

    /**
     * Hello end.
     * @member {string} end
     * @memberof Hello
     * @instance
     */
    Hello.prototype.end = "";

    /**
     * Hello epoch.
     * @member {number} epoch
     * @memberof Hello
     * @instance
     */
    Hello.prototype.epoch = $util.Long ? $util.Long.fromBits(0,0,true) : 0;

    /**
     * Hello token.
     * @member {string} token
     * @memberof Hello
     * @instance
     */
    Hello.prototype.token = "";

    /**
     * Creates a new Hello instance using the specified properties.
     * @function create
     * @memberof Hello
     * @static
     * @param {Hello.$Properties=} [properties] Properties to set
     * @returns {Hello} Hello instance
     * @type {{
     *   (properties: Hello.$Shape): Hello & Hello.$Shape;
     *   (properties?: Hello.$Properties): Hello;
     * }}
     */
    Hello.create = function(properties) {
        return new Hello(properties);
    };

    /**
     * Encodes the specified Hello message. Does not implicitly {@link Hello.verify|verify} messages.
     * @function encode
     * @memberof Hello
     * @static
     * @param {Hello.$Properties} message Hello message or plain object to encode
     * @param {$protobuf.Writer} [writer] Writer to encode to
     * @returns {$protobuf.Writer} Writer
     */
    Hello.encode = function (message, writer, _depth) {
        if (!writer)
            writer = $Writer.create();
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $util.recursionLimit)
            throw $Error("max depth exceeded");
        if (message.version != null && $Object.hasOwnProperty.call(message, "version") && message.version !== 0)
            writer.uint32(/* id 1, wireType 0 =*/8).uint32(message.version);
        if (message.lab != null && $Object.hasOwnProperty.call(message, "lab") && message.lab !== "")
            writer.uint32(/* id 2, wireType 2 =*/18).string(message.lab);
        if (message.wire != null && $Object.hasOwnProperty.call(message, "wire") && message.wire !== "")
            writer.uint32(/* id 3, wireType 2 =*/26).string(message.wire);
        if (message.end != null && $Object.hasOwnProperty.call(message, "end") && message.end !== "")
            writer.uint32(/* id 4, wireType 2 =*/34).string(message.end);
        if (message.epoch != null && $Object.hasOwnProperty.call(message, "epoch") && (typeof message.epoch === "object" ? message.epoch.low || message.epoch.high : message.epoch !== 0))
            writer.uint32(/* id 5, wireType 0 =*/40).uint64(message.epoch);
        if (message.token != null && $Object.hasOwnProperty.call(message, "token") && message.token !== "")
            writer.uint32(/* id 6, wireType 2 =*/50).string(message.token);
        if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
            for (let i = 0; i < message.$unknowns.length; ++i)
                writer.raw(message.$unknowns[i]);
        return writer;
    };

    /**
     * Decodes a Hello message from the specified reader or buffer.
     * @function decode
     * @memberof Hello
     * @static
     * @param {$protobuf.Reader|Uint8Array} reader Reader or buffer to decode from
     * @param {number} [length] Message length if known beforehand
     * @returns {Hello & Hello.$Shape} Hello
     * @throws {Error} If the payload is not a reader or valid buffer
     * @throws {$protobuf.util.ProtocolError} If required fields are missing
     */
    Hello.decode = function (reader, length, _end, _depth, _target) {
        if (!(reader instanceof $Reader))
            reader = $Reader.create(reader);
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $Reader.recursionLimit)
            throw $Error("max depth exceeded");
        let end, message, value;
        if (length === $undefined)
            end = reader.len;
        else {
            end = reader.pos + length;
            if (end > reader.len)
                throw $RangeError("index out of range");
            length = reader.len;
            reader.len = end;
        }
        message = _target || new $root.Hello();
        while (reader.pos < end) {
            let start = reader.pos;
            let tag = reader.tag();
            if (tag === _end) {
                _end = $undefined;
                break;
            }
            let wireType = tag & 7;
            switch (tag >>>= 3) {
            case 1: {
                    if (wireType !== 0)
                        break;
                    if (value = reader.uint32())
                        message.version = value;
                    else
                        delete message.version;
                    continue;
                }
            case 2: {
                    if (wireType !== 2)
                        break;
                    if ((value = reader.stringVerify()).length)
                        message.lab = value;
                    else
                        delete message.lab;
                    continue;
                }
            case 3: {
                    if (wireType !== 2)
                        break;
                    if ((value = reader.stringVerify()).length)
                        message.wire = value;
                    else
                        delete message.wire;
                    continue;
                }
            case 4: {
                    if (wireType !== 2)
                        break;
                    if ((value = reader.stringVerify()).length)
                        message.end = value;
                    else
                        delete message.end;
                    continue;
                }
            case 5: {
                    if (wireType !== 0)
                        break;
                    if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                        message.epoch = value;
                    else
                        delete message.epoch;
                    continue;
                }
            case 6: {
                    if (wireType !== 2)
                        break;
                    if ((value = reader.stringVerify()).length)
                        message.token = value;
                    else
                        delete message.token;
                    continue;
                }
            }
            reader.skipType(wireType, _depth, tag);
            if (!reader.discardUnknown) {
                $util.makeProp(message, "$unknowns", false);
                (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
            }
        }
        if (length !== $undefined) {
            if (reader.pos !== end)
                throw $RangeError("index out of range");
            reader.len = length;
        }
        if (_end !== $undefined)
            throw $Error("missing end group");
        return message;
    };

    return Hello;
})();

export const Batch = $root.Batch = (() => {

    /**
     * Properties of a Batch.
     * @typedef {Object} Batch.$Properties
     * @property {number|null} [first] Batch first
     * @property {number|null} [sentAt] Batch sentAt
     * @property {Array.<Uint8Array>|null} [frames] Batch frames
     * @property {Array.<number>|null} [traces] Batch traces
     * @property {Array.<number>|null} [causes] Batch causes
     * @property {Array.<Uint8Array>} [$unknowns] Unknown fields preserved while decoding when enabled
     */

    /**
     * Properties of a Batch.
     * @exports IBatch
     * @interface IBatch
     * @augments Batch.$Properties
     * @deprecated Use Batch.$Properties instead.
     */

    /**
     * Shape of a Batch.
     * @typedef {Batch.$Properties} Batch.$Shape
     */

    /**
     * Constructs a new Batch.
     * @exports Batch
     * @classdesc Represents a Batch.
     * @constructor
     * @param {Batch.$Properties=} [properties] Properties to set
     * @property {Array.<Uint8Array>} [$unknowns] Unknown fields preserved while decoding when enabled
     */
    const Batch = function (properties) {
        this.frames = [];
        this.traces = [];
        this.causes = [];
        if (properties)
            for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                if (properties[keys[i]] != null && keys[i] !== "__proto__")
                    this[keys[i]] = properties[keys[i]];
    };

    /**
     * Batch first.
     * @member {number} first
     * @memberof Batch
     * @instance
     */
    Batch.prototype.first = $util.Long ? $util.Long.fromBits(0,0,true) : 0;

    /**
     * Batch sentAt.
     * @member {number} sentAt
     * @memberof Batch
     * @instance
     */
    Batch.prototype.sentAt = $util.Long ? $util.Long.fromBits(0,0,true) : 0;

    /**
     * Batch frames.
     * @member {Array.<Uint8Array>} frames
     * @memberof Batch
     * @instance
     */
    Batch.prototype.frames = $util.emptyArray;

    /**
     * Batch traces.
     * @member {Array.<number>} traces
     * @memberof Batch
     * @instance
     */
    Batch.prototype.traces = $util.emptyArray;

    /**
     * Batch causes.
     * @member {Array.<number>} causes
     * @memberof Batch
     * @instance
     */
    Batch.prototype.causes = $util.emptyArray;

    /**
     * Creates a new Batch instance using the specified properties.
     * @function create
     * @memberof Batch
     * @static
     * @param {Batch.$Properties=} [properties] Properties to set
     * @returns {Batch} Batch instance
     * @type {{
     *   (properties: Batch.$Shape): Batch & Batch.$Shape;
     *   (properties?: Batch.$Properties): Batch;
     * }}
     */
    Batch.create = function(properties) {
        return new Batch(properties);
    };

    /**
     * Encodes the specified Batch message. Does not implicitly {@link Batch.verify|verify} messages.
     * @function encode
     * @memberof Batch
     * @static
     * @param {Batch.$Properties} message Batch message or plain object to encode
     * @param {$protobuf.Writer} [writer] Writer to encode to
     * @returns {$protobuf.Writer} Writer
     */
    Batch.encode = function (message, writer, _depth) {
        if (!writer)
            writer = $Writer.create();
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $util.recursionLimit)
            throw $Error("max depth exceeded");
        if (message.first != null && $Object.hasOwnProperty.call(message, "first") && (typeof message.first === "object" ? message.first.low || message.first.high : message.first !== 0))
            writer.uint32(/* id 1, wireType 0 =*/8).uint64(message.first);
        if (message.sentAt != null && $Object.hasOwnProperty.call(message, "sentAt") && (typeof message.sentAt === "object" ? message.sentAt.low || message.sentAt.high : message.sentAt !== 0))
            writer.uint32(/* id 2, wireType 0 =*/16).uint64(message.sentAt);
        if (message.frames != null && message.frames.length)
            for (let i = 0; i < message.frames.length; ++i)
                writer.uint32(/* id 3, wireType 2 =*/26).bytes(message.frames[i]);
        if (message.traces != null && message.traces.length)
            writer.uint32(/* id 4, wireType 2 =*/34).fixed64s(message.traces);
        if (message.causes != null && message.causes.length)
            writer.uint32(/* id 5, wireType 2 =*/42).fixed32s(message.causes);
        if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
            for (let i = 0; i < message.$unknowns.length; ++i)
                writer.raw(message.$unknowns[i]);
        return writer;
    };

    /**
     * Decodes a Batch message from the specified reader or buffer.
     * @function decode
     * @memberof Batch
     * @static
     * @param {$protobuf.Reader|Uint8Array} reader Reader or buffer to decode from
     * @param {number} [length] Message length if known beforehand
     * @returns {Batch & Batch.$Shape} Batch
     * @throws {Error} If the payload is not a reader or valid buffer
     * @throws {$protobuf.util.ProtocolError} If required fields are missing
     */
    Batch.decode = function (reader, length, _end, _depth, _target) {
        if (!(reader instanceof $Reader))
            reader = $Reader.create(reader);
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $Reader.recursionLimit)
            throw $Error("max depth exceeded");
        let end, message, value;
        if (length === $undefined)
            end = reader.len;
        else {
            end = reader.pos + length;
            if (end > reader.len)
                throw $RangeError("index out of range");
            length = reader.len;
            reader.len = end;
        }
        message = _target || new $root.Batch();
        while (reader.pos < end) {
            let start = reader.pos;
            let tag = reader.tag();
            if (tag === _end) {
                _end = $undefined;
                break;
            }
            let wireType = tag & 7;
            switch (tag >>>= 3) {
            case 1: {
                    if (wireType !== 0)
                        break;
                    if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                        message.first = value;
                    else
                        delete message.first;
                    continue;
                }
            case 2: {
                    if (wireType !== 0)
                        break;
                    if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                        message.sentAt = value;
                    else
                        delete message.sentAt;
                    continue;
                }
            case 3: {
                    if (wireType !== 2)
                        break;
                    if (!(message.frames && message.frames.length))
                        message.frames = [];
                    message.frames.push(reader.bytes());
                    continue;
                }
            case 4: {
                    if (wireType === 2) {
                        if (!(message.traces && message.traces.length))
                            message.traces = [];
                        reader.fixed64s(message.traces);
                        continue;
                    }
                    if (wireType !== 1)
                        break;
                    if (!(message.traces && message.traces.length))
                        message.traces = [];
                    message.traces.push(reader.fixed64());
                    continue;
                }
            case 5: {
                    if (wireType === 2) {
                        if (!(message.causes && message.causes.length))
                            message.causes = [];
                        reader.fixed32s(message.causes);
                        continue;
                    }
                    if (wireType !== 5)
                        break;
                    if (!(message.causes && message.causes.length))
                        message.causes = [];
                    message.causes.push(reader.fixed32());
                    continue;
                }
            }
            reader.skipType(wireType, _depth, tag);
            if (!reader.discardUnknown) {
                $util.makeProp(message, "$unknowns", false);
                (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
            }
        }
        if (length !== $undefined) {
            if (reader.pos !== end)
                throw $RangeError("index out of range");
            reader.len = length;
        }
        if (_end !== $undefined)
            throw $Error("missing end group");
        return message;
    };

    return Batch;
})();

export const Link = $root.Link = (() => {

    /**
     * Properties of a Link.
     * @typedef {Object} Link.$Properties
     * @property {boolean|null} [up] Link up
     * @property {boolean|null} [plugged] Link plugged
     * @property {number|null} [next] Link next
     * @property {Array.<Uint8Array>} [$unknowns] Unknown fields preserved while decoding when enabled
     */

    /**
     * Properties of a Link.
     * @exports ILink
     * @interface ILink
     * @augments Link.$Properties
     * @deprecated Use Link.$Properties instead.
     */

    /**
     * Shape of a Link.
     * @typedef {Link.$Properties} Link.$Shape
     */

    /**
     * Constructs a new Link.
     * @exports Link
     * @classdesc Represents a Link.
     * @constructor
     * @param {Link.$Properties=} [properties] Properties to set
     * @property {Array.<Uint8Array>} [$unknowns] Unknown fields preserved while decoding when enabled
     */
    const Link = function (properties) {
        if (properties)
            for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                if (properties[keys[i]] != null && keys[i] !== "__proto__")
                    this[keys[i]] = properties[keys[i]];
    };

    /**
     * Link up.
     * @member {boolean} up
     * @memberof Link
     * @instance
     */
    Link.prototype.up = false;

    /**
     * Link plugged.
     * @member {boolean} plugged
     * @memberof Link
     * @instance
     */
    Link.prototype.plugged = false;

    /**
     * Link next.
     * @member {number|null|undefined} next
     * @memberof Link
     * @instance
     */
    Link.prototype.next = null;

    // OneOf field names bound to virtual getters and setters
    let $oneOfFields;

    // Virtual OneOf for proto3 optional field
    $Object.defineProperty(Link.prototype, "_next", {
        get: $util.oneOfGetter($oneOfFields = ["next"]),
        set: $util.oneOfSetter($oneOfFields)
    });

    /**
     * Creates a new Link instance using the specified properties.
     * @function create
     * @memberof Link
     * @static
     * @param {Link.$Properties=} [properties] Properties to set
     * @returns {Link} Link instance
     * @type {{
     *   (properties: Link.$Shape): Link & Link.$Shape;
     *   (properties?: Link.$Properties): Link;
     * }}
     */
    Link.create = function(properties) {
        return new Link(properties);
    };

    /**
     * Encodes the specified Link message. Does not implicitly {@link Link.verify|verify} messages.
     * @function encode
     * @memberof Link
     * @static
     * @param {Link.$Properties} message Link message or plain object to encode
     * @param {$protobuf.Writer} [writer] Writer to encode to
     * @returns {$protobuf.Writer} Writer
     */
    Link.encode = function (message, writer, _depth) {
        if (!writer)
            writer = $Writer.create();
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $util.recursionLimit)
            throw $Error("max depth exceeded");
        if (message.up != null && $Object.hasOwnProperty.call(message, "up") && message.up !== false)
            writer.uint32(/* id 1, wireType 0 =*/8).bool(message.up);
        if (message.plugged != null && $Object.hasOwnProperty.call(message, "plugged") && message.plugged !== false)
            writer.uint32(/* id 2, wireType 0 =*/16).bool(message.plugged);
        if (message.next != null && $Object.hasOwnProperty.call(message, "next"))
            writer.uint32(/* id 3, wireType 0 =*/24).uint64(message.next);
        if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
            for (let i = 0; i < message.$unknowns.length; ++i)
                writer.raw(message.$unknowns[i]);
        return writer;
    };

    /**
     * Decodes a Link message from the specified reader or buffer.
     * @function decode
     * @memberof Link
     * @static
     * @param {$protobuf.Reader|Uint8Array} reader Reader or buffer to decode from
     * @param {number} [length] Message length if known beforehand
     * @returns {Link & Link.$Shape} Link
     * @throws {Error} If the payload is not a reader or valid buffer
     * @throws {$protobuf.util.ProtocolError} If required fields are missing
     */
    Link.decode = function (reader, length, _end, _depth, _target) {
        if (!(reader instanceof $Reader))
            reader = $Reader.create(reader);
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $Reader.recursionLimit)
            throw $Error("max depth exceeded");
        let end, message, value;
        if (length === $undefined)
            end = reader.len;
        else {
            end = reader.pos + length;
            if (end > reader.len)
                throw $RangeError("index out of range");
            length = reader.len;
            reader.len = end;
        }
        message = _target || new $root.Link();
        while (reader.pos < end) {
            let start = reader.pos;
            let tag = reader.tag();
            if (tag === _end) {
                _end = $undefined;
                break;
            }
            let wireType = tag & 7;
            switch (tag >>>= 3) {
            case 1: {
                    if (wireType !== 0)
                        break;
                    if (value = reader.bool())
                        message.up = value;
                    else
                        delete message.up;
                    continue;
                }
            case 2: {
                    if (wireType !== 0)
                        break;
                    if (value = reader.bool())
                        message.plugged = value;
                    else
                        delete message.plugged;
                    continue;
                }
            case 3: {
                    if (wireType !== 0)
                        break;
                    message.next = reader.uint64();
                    message._next = "next";
                    continue;
                }
            }
            reader.skipType(wireType, _depth, tag);
            if (!reader.discardUnknown) {
                $util.makeProp(message, "$unknowns", false);
                (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
            }
        }
        if (length !== $undefined) {
            if (reader.pos !== end)
                throw $RangeError("index out of range");
            reader.len = length;
        }
        if (_end !== $undefined)
            throw $Error("missing end group");
        return message;
    };

    return Link;
})();

export {
  $root as default
};
