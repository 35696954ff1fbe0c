/**
 * Text as it may stand in HTML, between tags or in a quoted attribute. Knows nothing else.
 */

export const escapeHtml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
