/** All classes that Sluice knows: `pib.dsMeter` and so on. */
import type { Oid } from "../oid.js";
import type { Prc } from "../prc.js";
import * as diffserv from "./diffserv.js";
import * as capabilities from "./diffserv-caps.js";
import * as feedback from "./feedback.js";
import * as framework from "./framework.js";
import * as sluice from "./sluice.js";

const { DIFFSERV_TYPE: _, ...policies } = diffserv;

export const pib = { ...framework, ...capabilities, ...policies, ...feedback, ...sluice } as const;

export type PrcName = keyof typeof pib;

export const ALL_CLASSES: readonly Prc[] = Object.values(pib);

const BY_ENTRY = new Map<Oid, Prc>(ALL_CLASSES.map((prc) => [prc.entry, prc]));

/** The class with this entry OID, if it is known. */
export const prcOf = (entry: Oid): Prc | undefined => BY_ENTRY.get(entry);
