/** @returns a valid alert; `id` makes it unlike any other */
export function alertOf(id: string, title = `Movie ${id}`) {
  return {
    movieId: id,
    email: 'someone@example.org',
    notification_date: '2030-01-31',
    title,
    category: 'drama',
    imageUrl: 'https://example.org/cover.png',
  };
}
