/** Provisioning transactions <-> the decisions of a DEC, RFC 3084 §3.2 and §5.1. */
import { COMMAND, DECISION_FLAG, R_TYPE } from "../codec/codes.js";
import type { CopsDecision, DecMessage } from "../codec/message.js";
import {
  type Binding,
  decodeBindings,
  decodeRemovals,
  encodeBindings,
  encodeRemovals,
  packObjects,
  type Removal,
} from "./bindings.js";
import { malformed } from "./errors.js";

/** The changes of one DEC: all or none. */
export interface Provisioning {
  readonly removals: readonly Removal[];
  readonly bindings: readonly Binding[];
}

/** What a configuration DEC asks for. `requestState` is RFC 3084's flag 0x02. */
export type ProvisioningDecision =
  | ({ readonly kind: "transaction" } & Provisioning)
  | { readonly kind: "requestState"; readonly open: boolean };

/** The Context of every COPS-PR message, RFC 3084 §3.1. */
export const CONFIGURATION_CONTEXT = { rType: R_TYPE.configuration, mType: 0 } as const;

/**
 * Removes before installs (RFC 3084 §3.2); data too long for an object goes on in further decisions.
 * Nothing to do becomes one NULL decision.
 */
export function encodeProvisioning({ removals, bindings }: Provisioning): CopsDecision[] {
  const context = CONFIGURATION_CONTEXT;
  const removes = packObjects(removals.map((removal) => encodeRemovals([removal])));
  const installs = packObjects(bindings.map((binding) => encodeBindings([binding])));
  const decisions = [
    ...removes.map((named) => ({ context, command: COMMAND.remove, flags: 0, named })),
    ...installs.map((named) => ({ context, command: COMMAND.install, flags: 0, named })),
  ];
  return decisions.length > 0 ? decisions : [{ context, command: COMMAND.null, flags: 0 }];
}

/** @throws PrDecodeError with the GPERR of the Failure report to send */
export function decodeProvisioning(dec: DecMessage): ProvisioningDecision {
  const removals: Removal[] = [];
  const bindings: Binding[] = [];
  for (const decision of dec.decisions) {
    const { command, flags, named } = decision;
    if ((flags & DECISION_FLAG.requestState) !== 0) return requestState(dec, decision);
    if (decision.stateless ?? decision.replacement ?? decision.clientSpecific) {
      // RFC 3084 §3.2: the other kinds of decision data do not exist for COPS-PR.
      throw malformed("decision data other than Named", "Decision");
    }
    switch (command) {
      case COMMAND.null:
        if (named !== undefined) throw malformed("a NULL decision carries no data", "Decision");
        break;
      case COMMAND.install:
        for (const binding of decodeBindings(needData(named))) bindings.push(binding);
        break;
      case COMMAND.remove:
        for (const removal of decodeRemovals(needData(named))) removals.push(removal);
        break;
      default:
        throw malformed(`unknown Command-Code ${command}`, "Decision Flags");
    }
  }
  return { kind: "transaction", removals, bindings };
}

function needData(named: Buffer | undefined): Buffer {
  if (named === undefined) throw malformed("Install or Remove without Named Decision Data", "Decision");
  return named;
}

/** RFC 3084 §3.2: with the Request-State flag it is the only decision, and has no data. */
function requestState(dec: DecMessage, decision: CopsDecision): ProvisioningDecision {
  if (dec.decisions.length > 1 || decision.named !== undefined || decision.command === COMMAND.null) {
    throw malformed("a Request-State decision stands alone and has no data", "Decision");
  }
  return { kind: "requestState", open: decision.command === COMMAND.install };
}
