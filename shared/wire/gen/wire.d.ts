import * as $protobuf from "protobufjs/minimal.js";
import Long = require("long");

/**
 * Properties of a Message.
 * @deprecated Use Message.$Properties instead.
 */
export interface IMessage extends Message.$Properties {
}

/** Represents a Message. */
export class Message {

    /**
     * Constructs a new Message.
     * @param [properties] Properties to set
     */
    constructor(properties?: Message.$Properties);

    /** Unknown fields preserved while decoding when enabled */
    $unknowns?: Uint8Array[];

    /** Message hello. */
    hello?: (Hello.$Properties|null);

    /** Message batch. */
    batch?: (Batch.$Properties|null);

    /** Message link. */
    link?: (Link.$Properties|null);

    /** Message body. */
    body?: ("hello"|"batch"|"link");

    /**
     * Creates a new Message instance using the specified properties.
     * @param [properties] Properties to set
     * @returns Message instance
     */
    static create(properties: Message.$Shape): Message & Message.$Shape;
    static create(properties?: Message.$Properties): Message;

    /**
     * Encodes the specified Message message. Does not implicitly {@link Message.verify|verify} messages.
     * @param message Message message or plain object to encode
     * @param [writer] Writer to encode to
     * @returns Writer
     */
    static encode(message: Message.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

    /**
     * Decodes a Message message from the specified reader or buffer.
     * @param reader Reader or buffer to decode from
     * @param [length] Message length if known beforehand
     * @returns {Message & Message.$Shape} Message
     * @throws {Error} If the payload is not a reader or valid buffer
     * @throws {$protobuf.util.ProtocolError} If required fields are missing
     */
    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): Message & Message.$Shape;
}

export namespace Message {

    /** Properties of a Message. */
    interface $Properties {

        /** Message hello */
        hello?: (Hello.$Properties|null);

        /** Message batch */
        batch?: (Batch.$Properties|null);

        /** Message link */
        link?: (Link.$Properties|null);

        /** Message body */
        body?: ("hello"|"batch"|"link");

        /** Unknown fields preserved while decoding when enabled */
        $unknowns?: Uint8Array[];
    }

    /** Narrowed shape of a Message. */
    type $Shape = {
      hello?: Hello.$Shape|null;
      batch?: Batch.$Shape|null;
      link?: Link.$Shape|null;
      $unknowns?: Uint8Array[];
    } & (
      ({ body?: undefined; hello?: null; batch?: null; link?: null }|{ body?: "hello"; hello: Hello.$Shape; batch?: null; link?: null }|{ body?: "batch"; hello?: null; batch: Batch.$Shape; link?: null }|{ body?: "link"; hello?: null; batch?: null; link: Link.$Shape })
    );
}

/**
 * Properties of a Hello.
 * @deprecated Use Hello.$Properties instead.
 */
export interface IHello extends Hello.$Properties {
}

/** Represents a Hello. */
export class Hello {

    /**
     * Constructs a new Hello.
     * @param [properties] Properties to set
     */
    constructor(properties?: Hello.$Properties);

    /** Unknown fields preserved while decoding when enabled */
    $unknowns?: Uint8Array[];

    /** Hello version. */
    version: number;

    /** Hello lab. */
    lab: string;

    /** Hello wire. */
    wire: string;

    /** Hello end. */
    end: string;

    /** Hello epoch. */
    epoch: number;

    /** Hello token. */
    token: string;

    /**
     * Creates a new Hello instance using the specified properties.
     * @param [properties] Properties to set
     * @returns Hello instance
     */
    static create(properties: Hello.$Shape): Hello & Hello.$Shape;
    static create(properties?: Hello.$Properties): Hello;

    /**
     * Encodes the specified Hello message. Does not implicitly {@link Hello.verify|verify} messages.
     * @param message Hello message or plain object to encode
     * @param [writer] Writer to encode to
     * @returns Writer
     */
    static encode(message: Hello.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

    /**
     * Decodes a Hello message from the specified reader or buffer.
     * @param reader Reader or buffer to decode from
     * @param [length] Message length if known beforehand
     * @returns {Hello & Hello.$Shape} Hello
     * @throws {Error} If the payload is not a reader or valid buffer
     * @throws {$protobuf.util.ProtocolError} If required fields are missing
     */
    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): Hello & Hello.$Shape;
}

export namespace Hello {

    /** Properties of a Hello. */
    interface $Properties {

        /** Hello version */
        version?: (number|null);

        /** Hello lab */
        lab?: (string|null);

        /** Hello wire */
        wire?: (string|null);

        /** Hello end */
        end?: (string|null);

        /** Hello epoch */
        epoch?: (number|null);

        /** Hello token */
        token?: (string|null);

        /** Unknown fields preserved while decoding when enabled */
        $unknowns?: Uint8Array[];
    }

    /** Shape of a Hello. */
    type $Shape = Hello.$Properties;
}

/**
 * Properties of a Batch.
 * @deprecated Use Batch.$Properties instead.
 */
export interface IBatch extends Batch.$Properties {
}

/** Represents a Batch. */
export class Batch {

    /**
     * Constructs a new Batch.
     * @param [properties] Properties to set
     */
    constructor(properties?: Batch.$Properties);

    /** Unknown fields preserved while decoding when enabled */
    $unknowns?: Uint8Array[];

    /** Batch first. */
    first: number;

    /** Batch sentAt. */
    sentAt: number;

    /** Batch frames. */
    frames: Uint8Array[];

    /** Batch traces. */
    traces: number[];

    /** Batch causes. */
    causes: number[];

    /**
     * Creates a new Batch instance using the specified properties.
     * @param [properties] Properties to set
     * @returns Batch instance
     */
    static create(properties: Batch.$Shape): Batch & Batch.$Shape;
    static create(properties?: Batch.$Properties): Batch;

    /**
     * Encodes the specified Batch message. Does not implicitly {@link Batch.verify|verify} messages.
     * @param message Batch message or plain object to encode
     * @param [writer] Writer to encode to
     * @returns Writer
     */
    static encode(message: Batch.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

    /**
     * Decodes a Batch message from the specified reader or buffer.
     * @param reader Reader or buffer to decode from
     * @param [length] Message length if known beforehand
     * @returns {Batch & Batch.$Shape} Batch
     * @throws {Error} If the payload is not a reader or valid buffer
     * @throws {$protobuf.util.ProtocolError} If required fields are missing
     */
    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): Batch & Batch.$Shape;
}

export namespace Batch {

    /** Properties of a Batch. */
    interface $Properties {

        /** Batch first */
        first?: (number|null);

        /** Batch sentAt */
        sentAt?: (number|null);

        /** Batch frames */
        frames?: (Uint8Array[]|null);

        /** Batch traces */
        traces?: (number[]|null);

        /** Batch causes */
        causes?: (number[]|null);

        /** Unknown fields preserved while decoding when enabled */
        $unknowns?: Uint8Array[];
    }

    /** Shape of a Batch. */
    type $Shape = Batch.$Properties;
}

/**
 * Properties of a Link.
 * @deprecated Use Link.$Properties instead.
 */
export interface ILink extends Link.$Properties {
}

/** Represents a Link. */
export class Link {

    /**
     * Constructs a new Link.
     * @param [properties] Properties to set
     */
    constructor(properties?: Link.$Properties);

    /** Unknown fields preserved while decoding when enabled */
    $unknowns?: Uint8Array[];

    /** Link up. */
    up: boolean;

    /** Link plugged. */
    plugged: boolean;

    /** Link next. */
    next?: (number|null);

    /**
     * Creates a new Link instance using the specified properties.
     * @param [properties] Properties to set
     * @returns Link instance
     */
    static create(properties: Link.$Shape): Link & Link.$Shape;
    static create(properties?: Link.$Properties): Link;

    /**
     * Encodes the specified Link message. Does not implicitly {@link Link.verify|verify} messages.
     * @param message Link message or plain object to encode
     * @param [writer] Writer to encode to
     * @returns Writer
     */
    static encode(message: Link.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

    /**
     * Decodes a Link message from the specified reader or buffer.
     * @param reader Reader or buffer to decode from
     * @param [length] Message length if known beforehand
     * @returns {Link & Link.$Shape} Link
     * @throws {Error} If the payload is not a reader or valid buffer
     * @throws {$protobuf.util.ProtocolError} If required fields are missing
     */
    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): Link & Link.$Shape;
}

export namespace Link {

    /** Properties of a Link. */
    interface $Properties {

        /** Link up */
        up?: (boolean|null);

        /** Link plugged */
        plugged?: (boolean|null);

        /** Link next */
        next?: (number|null);

        /** Unknown fields preserved while decoding when enabled */
        $unknowns?: Uint8Array[];
    }

    /** Shape of a Link. */
    type $Shape = Link.$Properties;
}
