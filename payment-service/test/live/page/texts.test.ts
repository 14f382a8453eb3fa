import { expect, test } from 'vitest';
import { findTexts } from '../../../src/live/page/find/find-texts.js';
import { texts } from '../../../src/live/page/texts.js';

test.each([
  'en',
  'es',
] as const)('no other text of the page in %s has the name of one of the search', (language) => {
  const { [language]: all } = texts;
  expect(all).toMatchObject(findTexts[language]);
});
