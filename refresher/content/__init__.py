"""From GitHub's pages to the content of an entry: read, narrowed to the public, ranked.

- `list_reader`: reads all pages of a list, and downloads only those that changed.
- `unfinished_reading`: what an interrupted reading has read.
- `pagination`: which pages a list has, by `Link` and by what is known of its pages.
- `list_view`: the one credential that gets all pages of a reading.
- `prefetch`: requests the next pages while the first ones are under way.
- `list_consistency`: whether a list that was read page by page is complete.
- `page`: a page as it is stored for the next conditional request.
- `items`: a list's items, cut from the bytes of its pages.
- `page_index`: what is needed of a page's items without their texts.
- `list_items`: the items of a whole list, as columns.
- `segmented_list`: a list and its views as the segments in which they are stored.
- `view_change`: carries changed rows over into a stored view.
- `narrowing`, `json_cutting`: reduce JSON to its public shape without changing other bytes.
- `privacy_marks`: whether an object is public, by GitHub's visibility fields.
- `ranking`: the ranked views of a list of repositories.
- `content`: the content in the form in which it is stored and served.
"""
