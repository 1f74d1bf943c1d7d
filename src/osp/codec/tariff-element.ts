/** The tariff of an authorised session: one extension element, all of it in attributes. */
import { formatAmount, type MicroUnits, parseAmount } from "../../model/amount.js";
import { type Tariff, WHOLE_SHARE } from "../tariff.js";
import { NOT_CRITICAL } from "./common-elements.js";
import { badField } from "./decode-error.js";
import { childOf, parseWhole } from "./fields.js";
import { EXTENSION } from "./vocabulary.js";
import type { XmlElement } from "./xml-reader.js";
import { element, type XmlNode } from "./xml-writer.js";

export function readTariff(parent: XmlElement): Tariff | undefined {
  const node = childOf(parent, EXTENSION.tariff);
  if (node === undefined) return undefined;
  const currency = node.attributes.currency ?? "";
  if (!/^[A-Z]{3}$/.test(currency)) throw badField(`${EXTENSION.tariff}/currency`, "not three capital letters");
  const amount = (key: string): MicroUnits => amountOf(node, key);
  const share = (key: string): number =>
    parseWhole(`${EXTENSION.tariff}/${key}`, node.attributes[key] ?? "", WHOLE_SHARE);
  const shares = {
    originating: share("originating"),
    terminating: share("terminating"),
    clearinghouse: share("clearinghouse"),
  };
  if (shares.originating + shares.terminating + shares.clearinghouse !== WHOLE_SHARE) {
    throw badField(EXTENSION.tariff, "its shares are not the whole");
  }
  return {
    currency,
    setup: amount("setup"),
    perMinute: amount("perMinute"),
    perMegabyte: amount("perMegabyte"),
    perMegabyteOutOfProfile: amount("perMegabyteOutOfProfile"),
    perMbitMinute: amount("perMbitMinute"),
    shares,
  };
}

/** Absent is nothing. */
function amountOf({ attributes }: XmlElement, key: string): MicroUnits {
  const amount = parseAmount(attributes[key] ?? "0");
  if (amount === undefined) throw badField(`${EXTENSION.tariff}/${key}`, "not an amount");
  return amount;
}

export function writeTariff(tariff: Tariff | undefined): XmlNode | undefined {
  if (tariff === undefined) return undefined;
  const { currency, shares } = tariff;
  return element(EXTENSION.tariff, "", {
    ...NOT_CRITICAL,
    currency,
    setup: formatAmount(tariff.setup),
    perMinute: formatAmount(tariff.perMinute),
    perMegabyte: formatAmount(tariff.perMegabyte),
    perMegabyteOutOfProfile: formatAmount(tariff.perMegabyteOutOfProfile),
    perMbitMinute: formatAmount(tariff.perMbitMinute),
    originating: String(shares.originating),
    terminating: String(shares.terminating),
    clearinghouse: String(shares.clearinghouse),
  });
}
