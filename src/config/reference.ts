/** docs/config.md, made from the schemas, so that it cannot say anything else than what is checked. */
import { z } from "zod";
import { ROLES, type Role } from "./common.js";
import { schemaOf } from "./load.js";
import { formatRate, formatSize, formatTime } from "./quantities.js";
import { bare, groupOf, metaOf, type Schema } from "./schema-walk.js";

interface Row {
  readonly key: string;
  readonly value: string;
  readonly standard: string;
  readonly meaning: string;
}

const ROLE_TITLES: Readonly<Record<Role, string>> = {
  pdp: "Policy server (`sluice run pdp`)",
  proxy: "SIP proxy (`sluice run proxy`)",
  router: "Router (`sluice run router`)",
  clearinghouse: "Clearinghouse (`sluice run clearinghouse`)",
  portal: "Portal (`sluice run portal`)",
};

const INTRODUCTION = `# Configuration reference

Generated from the schemas in src/config/. Each role reads one YAML file; \`sluice check FILE\` checks it without
starting anything. Unknown keys are errors. A quantity is written with its unit:

| Quantity | Units | Example |
|---|---|---|
| rate | bit/s, kbit/s, Mbit/s, Gbit/s | \`170 kbit/s\` |
| time | ms, s, min, h, d | \`30 s\` |
| size | B, KiB, MiB, GiB, kB, MB, GB | \`256 KiB\` |
| percentage | % | \`0.5 %\` |

Addresses are IPv4 or IPv6; with a port \`10.1.0.6:3288\` or \`[fd01::6]:3288\`. Names are not resolved.
Relative paths start from the directory of the file. In paths, and only there, \`\${VAR}\` stands for an environment
variable; one that is not set is an error. YAML anchors, aliases and duplicate keys are refused.
`;

/** The whole page as Markdown. */
export function renderConfigReference(): string {
  return `${INTRODUCTION}\n${ROLES.map(renderRole).join("\n")}`;
}

function renderRole(role: Role): string {
  const schema = schemaOf(role, { directory: "/etc/sluice", env: {} });
  const rows = rowsOf(schema, "").map(
    (row) => `| \`${row.key}\` | ${cell(row.value)} | ${cell(row.standard)} | ${cell(row.meaning)} |`,
  );
  return [`## ${ROLE_TITLES[role]}`, "", "| Key | Value | Default | Meaning |", "|---|---|---|---|", ...rows, ""].join(
    "\n",
  );
}

const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ");

function rowsOf(schema: Schema, prefix: string): readonly Row[] {
  const group = groupOf(schema);
  if (group instanceof z.ZodArray) return rowsOf(group.element, `${prefix}[]`);
  if (group instanceof z.ZodRecord) return rowsOf(group.valueType, `${prefix}.*`);
  if (!(group instanceof z.ZodObject)) return [];
  return Object.entries(group.shape).flatMap(([name, value]: [string, Schema]) => {
    const key = prefix === "" ? name : `${prefix}.${name}`;
    const row = {
      key,
      value: kindOf(value),
      standard: standardOf(value),
      meaning: metaOf(value, "description") ?? "",
    };
    return [row, ...rowsOf(value, key)];
  });
}

function kindOf(schema: Schema): string {
  const kind = metaOf(schema, "kind");
  if (kind !== undefined) return kind;
  const inner = bare(schema);
  if (inner instanceof z.ZodBoolean) return "`true` or `false`";
  if (inner instanceof z.ZodLiteral) return [...inner.values].map((value) => `\`${String(value)}\``).join(" or ");
  if (inner instanceof z.ZodEnum) return inner.options.map((value) => `\`${value}\``).join(", ");
  if (inner instanceof z.ZodUnion) return inner.options.map(kindOf).join(" or ");
  if (inner instanceof z.ZodArray) return `list of ${kindOf(inner.element)}`;
  if (inner instanceof z.ZodRecord) return `${kindOf(inner.keyType)} to ${kindOf(inner.valueType)}`;
  return inner instanceof z.ZodObject ? "keys" : "text";
}

/** The default as one would write it, "required", or nothing where leaving out has its own meaning. */
function standardOf(schema: Schema): string {
  if (schema instanceof z.ZodOptional) return "–";
  if (schema instanceof z.ZodPrefault) return "as below";
  if (!(schema instanceof z.ZodDefault)) return "required";
  const value: unknown = schema.def.defaultValue;
  if (typeof value === "object" && value !== null) {
    if ("action" in value) return `\`${String(value.action)}\``;
    if (isEmpty(value)) return "none";
    return isScalars(value) ? `\`[${value.join(", ")}]\`` : "as below";
  }
  return `\`${written(value, metaOf(schema, "kind"))}\``;
}

const isEmpty = (value: object): boolean => Object.keys(value).length === 0;

const isScalars = (value: object): value is readonly unknown[] =>
  Array.isArray(value) && value.every((each) => typeof each !== "object");

function written(value: unknown, kind: string | undefined): string {
  if (typeof value !== "number") return String(value);
  if (kind === "a rate") return formatRate(value as Parameters<typeof formatRate>[0]);
  if (kind === "a time") return formatTime(value as Parameters<typeof formatTime>[0]);
  if (kind === "a size") return formatSize(value as Parameters<typeof formatSize>[0]);
  return kind?.includes("0x") === true ? `0x${value.toString(16)}` : String(value);
}
