import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isNickName, nickKey } from "../../src/model/nick-name.js";

describe("isNickName", () => {
  it.each([
    "a",
    "Zoë",
    "Al Bert",
    "Jean-Luc_2.0",
    "Жанна",
    "Ελένη",
    "محمد",
    "प्रिया",
    "さくらちゃん",
    "山田タロウ",
    "山田 Taro",
    "김민준",
    "王小明",
    "Ａnn",
    "Nguyễn Văn",
    "x".repeat(64),
  ])("takes %s", (nick) => expect(isNickName(nick)).toBe(true));

  it.each([
    ["", "nothing"],
    ["x".repeat(65), "too long"],
    [" a", "a space at an end"],
    ["a  b", "two spaces look like one"],
    ["a/b", "a path"],
    ["..", "a path"],
    ["alice\u{FE0F}", "a variation selector"],
    ["alice\u{E0100}", "a variation selector"],
    ["al\u{1160}ice", "a Hangul filler"],
    ["al\u{FFA0}ice", "a filler by its compatible form"],
    ["al\u{034F}ice", "a grapheme joiner"],
    ["al\u{200B}ice", "a space of no width"],
    ["al\u{00AD}ice", "a soft hyphen"],
    ["\u{202E}ecila", "a change of direction"],
    ["\u{0430}lice", "a Cyrillic a in Latin"],
    ["alic\u{0435}", "a Cyrillic e in Latin"],
    ["alpha\u{03B1}", "Greek in Latin"],
    ["Жанна\u{03BF}", "Greek in Cyrillic"],
    ["山田\u{0430}", "Cyrillic in Han"],
    ["ひ김", "Japanese in Korean"],
    ["ᎪᏞᎥᏟᎬ", "a script of few, whose letters look like Latin"],
  ])("does not take %j: %s", (nick) => expect(isNickName(nick)).toBe(false));

  it("is the same for a name in any of its normal forms", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 20 }), (text) => {
        expect(isNickName(text.normalize("NFC"))).toBe(isNickName(text.normalize("NFD")));
      }),
    );
  });
});

describe("nickKey", () => {
  it.each([
    ["Ann", "ANN"],
    ["Ann", "Ａnn"],
    ["Zoë", "ZOE\u{0308}"],
    ["Straße", "STRASSE"],
    ["οδος", "ΟΔΟΣ"],
    ["ｶﾅ", "カナ"],
    ["ﬁn", "FIN"],
  ])("%s is %s", (one, other) => expect(nickKey(one)).toBe(nickKey(other)));

  it("tells names apart", () => expect(nickKey("Ann")).not.toBe(nickKey("Anna")));

  it("is its own key, for every character", () => {
    const odd: string[] = [];
    for (let code = 0; code < 0x11_0000; code += 1) {
      if (code >= 0xd800 && code <= 0xdfff) continue;
      const key = nickKey(String.fromCodePoint(code));
      if (nickKey(key) !== key) odd.push(code.toString(16));
    }
    expect(odd).toEqual([]);
  });
});
