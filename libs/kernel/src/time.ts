/** RFC 3339, section 5.6: date, time and offset. A space for the T and lower case letters are allowed there too. */
const RFC_3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:[Zz]|[+-](\d\d):(\d\d))$/;

/**
 * A time with an offset, as the ledger and the API write it: UTC, three decimals, `Z`. Finer fractions are cut off.
 * @returns null for what is no such time, such as one without an offset or on 30 February
 */
export function canonicalTime(text: string): string | null {
  const [, year, month, day, hour, minute, second, offsetHour = '0', offsetMinute = '0'] = RFC_3339.exec(text) ?? [];
  if (year === undefined) return null;
  const dayOfMonth = Number(day);
  const lastDay = new Date(Date.UTC(2000 + (Number(year) % 400), Number(month), 0)).getUTCDate();
  if (Number(month) < 1 || Number(month) > 12 || dayOfMonth < 1 || dayOfMonth > lastDay) return null;
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return null;
  if (Number(offsetHour) > 23 || Number(offsetMinute) > 59) return null;
  const time = new Date(text.toUpperCase().replace(' ', 'T'));
  if (Number.isNaN(time.getTime())) return null;
  const canonical = time.toISOString();
  // Years before 0 and after 9999 have another form.
  return /^\d{4}-/.test(canonical) ? canonical : null;
}
