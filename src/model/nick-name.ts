/** Nick names: which are taken, and which are the same. */

/** Letters and digits of any script, with dots, hyphens, underscores and single spaces between: one segment of a path. */
const FORM = /^(?!.* {2})[\p{L}\p{N}](?:[\p{L}\p{M}\p{N}._ -]{0,62}[\p{L}\p{M}\p{N}])?$/u;
/** Shows nothing, or changes what others show. */
const UNSEEN = /[\p{Cf}\p{Default_Ignorable_Code_Point}]/u;

/** Those that Unicode recommends for identifiers (UAX #31, table 5) and that stand alone. */
const ALONE = [
  ...["Arab", "Armn", "Beng", "Cyrl", "Deva", "Ethi", "Geor", "Grek", "Gujr", "Guru", "Hebr", "Khmr", "Knda"],
  ...["Laoo", "Latn", "Mlym", "Mymr", "Orya", "Sinh", "Taml", "Telu", "Thaa", "Thai", "Tibt"],
];
/** Real names mix these: Japanese, Chinese, Korean (UTS #39 §5.2, highly restrictive). */
const TOGETHER = [
  ["Latn", "Hani", "Hira", "Kana"],
  ["Latn", "Hani", "Bopo"],
  ["Latn", "Hani", "Hang"],
];
/** Characters of several scripts count for each of them (UAX #24, Script_Extensions). */
const SCRIPTS = [...ALONE.map((script) => [script]), ...TOGETHER].map(
  (scripts) => new RegExp(`^[${["Zyyy", "Zinh", ...scripts].map((name) => `\\p{scx=${name}}`).join("")}]*$`, "u"),
);

/** Whether it is 1 to 64 characters of one script, or of several that are written together, all of which can be seen. */
export function isNickName(text: string): boolean {
  const plain = text.normalize("NFKC");
  return FORM.test(plain) && !UNSEEN.test(plain) && SCRIPTS.some((script) => script.test(plain));
}

/**
 * Equal for names that are the same: those that differ in case, or in compatible forms of characters only (UAX #15, NFKC). Upper
 * case first, since it joins what lower case keeps apart, such as the two small sigmas.
 */
export const nickKey = (nick: string): string => fold(fold(nick)).normalize("NFKC");

const fold = (text: string): string => text.normalize("NFKC").toUpperCase().toLowerCase();
