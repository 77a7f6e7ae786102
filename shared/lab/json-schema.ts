/**
 * The published JSON Schema of a lab file (lab.schema.json), made from the table of schema.ts, for editors. It says less
 * than the checker (that a wire's ends exist, that addresses fit), and never refuses what the checker takes.
 */
import {
  DEVICE_KEYS,
  DEVICE_KINDS,
  type DeviceKeySpec,
  DIRECTIONS,
  KNOBS,
  PORT_NAME,
  PORT_SPEC,
  TOP_KEYS,
} from './schema.ts';
import type { JsonSchema } from './values.ts';

const SCHEMA_ID = 'https://wirelab.example/lab.schema.json';
const END = '[A-Za-z0-9][A-Za-z0-9_-]*:[A-Za-z0-9_-]+';
const WIRE = `^${END}\\s+--\\s+${END}$`;

export function labJsonSchema(): JsonSchema {
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    $id: SCHEMA_ID,
    title: 'A wirelab lab file',
    type: 'object',
    required: ['name', 'devices'],
    additionalProperties: false,
    properties: {
      ...described(TOP_KEYS),
      devices: {
        description: 'Every device by its name.',
        type: 'object',
        minProperties: 1,
        propertyNames: TOP_KEYS.name.type.json,
        additionalProperties: { anyOf: DEVICE_KINDS.map((kind) => ({ $ref: `#/definitions/${kind}` })) },
      },
      wires: {
        description: 'Which port is joined to which: the first-named end listens, the other dials.',
        anyOf: [{ type: 'null' }, { type: 'array', items: { $ref: '#/definitions/wire' } }],
      },
    },
    definitions: {
      ...Object.fromEntries(DEVICE_KINDS.map((kind) => [kind, deviceSchema(kind)])),
      wire: {
        anyOf: [
          { type: 'string', pattern: WIRE },
          {
            type: 'object',
            minProperties: 1,
            maxProperties: 1,
            additionalProperties: false,
            patternProperties: { [WIRE]: { anyOf: [{ type: 'null' }, { $ref: '#/definitions/both' }] } },
          },
        ],
      },
      both: {
        description: 'What the wire does to frames, both ways unless it stands under a direction.',
        type: 'object',
        additionalProperties: false,
        properties: {
          ...described(KNOBS),
          ...Object.fromEntries(DIRECTIONS.map((way) => [way, { $ref: '#/definitions/oneWay' }])),
        },
      },
      oneWay: { type: 'object', additionalProperties: false, properties: described(KNOBS) },
    },
  };
}

function deviceSchema(kind: (typeof DEVICE_KINDS)[number]): JsonSchema {
  const keys = Object.entries<DeviceKeySpec>(DEVICE_KEYS).filter(([, spec]) => spec.kinds.includes(kind));
  const properties = {
    ...described(Object.fromEntries(keys)),
    kind: { const: kind, description: DEVICE_KEYS.kind.about },
  };
  const port = { ...PORT_SPEC.type.json, description: PORT_SPEC.about };
  const ports = kind === 'switch' ? {} : { patternProperties: { [PORT_NAME.source]: port } };
  const required = kind === 'dns' ? ['kind', 'role'] : ['kind'];
  return { type: 'object', required, additionalProperties: false, properties, ...ports };
}

function described(keys: Readonly<Record<string, { type: { json: JsonSchema }; about: string }>>): JsonSchema {
  return Object.fromEntries(
    Object.entries(keys).map(([key, { type, about }]) => [key, { ...type.json, description: about }]),
  );
}

/** The text of lab.schema.json. */
export function labJsonSchemaText(): string {
  return `${JSON.stringify(labJsonSchema(), null, 2)}\n`;
}
