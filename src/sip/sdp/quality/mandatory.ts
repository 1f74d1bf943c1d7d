/**
 * Whose access networks have to reserve for a medium before the callee is alerted (RFC 3312): every status that either side
 * desires as `mandatory`. An answer may raise a strength and not lower it (§5.2), so both descriptions count; an answer that
 * does not speak of preconditions at all has declined them.
 */
import type { Party } from "../media-flow.js";
import type { DesiredQosStatus, QosPreconditions } from "./description.js";

/** For packets towards the offerer, and towards the answerer. */
export interface MandatoryNetworks {
  readonly towardOfferer: readonly Party[];
  readonly towardAnswerer: readonly Party[];
}

interface Described {
  readonly preconditions?: QosPreconditions;
}

const NOBODY: MandatoryNetworks = { towardOfferer: [], towardAnswerer: [] };

/** @param answered - undefined while there is no answer: then it is what the offer desires */
export function mandatoryNetworks(
  offered: Described,
  answered: Described | undefined,
  offerer: Party,
): MandatoryNetworks {
  const answerer: Party = offerer === "caller" ? "callee" : "caller";
  const offeredRows = offered.preconditions?.desired ?? [];
  const answeredRows = answered?.preconditions?.desired ?? [];
  const isDeclined = answered !== undefined && answeredRows.length === 0;
  if (isDeclined || offeredRows.length + answeredRows.length === 0) return NOBODY;
  // §4: directions and segments are as seen by who wrote the description.
  const networks = (offererWay: "send" | "recv", answererWay: "send" | "recv"): readonly Party[] => {
    const named = [
      ...mandatory(offeredRows, offererWay).flatMap((row) => networksOf(row, offerer, answerer)),
      ...mandatory(answeredRows, answererWay).flatMap((row) => networksOf(row, answerer, offerer)),
    ];
    return (["caller", "callee"] as const).filter((party) => named.includes(party));
  };
  return { towardOfferer: networks("recv", "send"), towardAnswerer: networks("send", "recv") };
}

const mandatory = (rows: readonly DesiredQosStatus[], way: "send" | "recv"): readonly DesiredQosStatus[] =>
  rows.filter(({ strength, direction }) => strength === "mandatory" && (direction === way || direction === "sendrecv"));

function networksOf({ segment }: DesiredQosStatus, writer: Party, other: Party): readonly Party[] {
  switch (segment) {
    case "e2e":
      return [writer, other];
    case "local":
      return [writer];
    case "remote":
      return [other];
  }
}
